"""What is the image of: classification.

Raw output: logits N x C_cls.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtl_core.data.class_folders import read_class_folders
from mtl_core.data.image_io import read_image
from mtl_core.data.splits import ClsItem, Split
from mtl_core.metrics.top1 import ClassificationMeter
from mtl_core.metrics.trivial_floor import floor_over
from mtl_core.tasks import CLS
from mtl_core.tasks.base import Task
from mtl_core.types import Prediction

LABEL_SMOOTHING = 0.1
WIDTH = 640  # channels made of P5 before it is pooled; half of the backbone's last convolution


class PooledReadout(nn.Module):
    """Mean class logits of the shared map plus a linear map of what is pooled from P5.

    P5 is read because a map trained for pixels alone classifies poorly: as it is, and through a
    1 x 1 convolution, which starts from the backbone's own last one where there is one.
    """

    def __init__(self, context_channels: int, classes: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(context_channels, WIDTH, 1)
        self.norms = nn.ModuleList(
            nn.LayerNorm(channels, elementwise_affine=False)
            for channels in (context_channels, WIDTH)
        )
        self.linear = nn.Linear(context_channels + WIDTH, classes)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, part: Tensor, context: Tensor) -> Tensor:
        """N x C x H x W and N x context x H' x W' -> N x C."""
        maps = (context, F.silu(self.widen(context)))
        pooled = [norm(m.mean((2, 3))) for norm, m in zip(self.norms, maps, strict=True)]
        logits: Tensor = part.mean((2, 3)) + self.linear(torch.cat(pooled, dim=1))
        return logits


class Classification(Task):
    """Cross-entropy with label smoothing; Top-1."""

    info = CLS

    @property
    def channels(self) -> int:
        """One channel of logits per class."""
        return len(self.class_names)

    def build_readout(self, context_channels: int) -> nn.Module:
        """Pooling and the linear map."""
        return PooledReadout(context_channels, len(self.class_names))

    def take_over(self, readout: nn.Module, weight: Tensor, bias: Tensor) -> None:
        """The first channels of the backbone's last convolution, where their shapes allow it."""
        widen = cast(PooledReadout, readout).widen
        if weight.shape[0] >= WIDTH and weight.shape[1:] == widen.weight.shape[1:]:
            widen.load_state_dict({"weight": weight[:WIDTH], "bias": bias[:WIDTH]})

    @staticmethod
    def read_split(root: Path, name: str) -> Split:
        """One folder of images per class."""
        return read_class_folders(root, name)

    @staticmethod
    def read(item: ClsItem, split: Split) -> tuple[np.ndarray, int]:
        """Pixels and the data's class index."""
        return read_image(item.image), item.label

    @staticmethod
    def classes(item: ClsItem) -> set[int]:
        """The one class."""
        return {item.label}

    @staticmethod
    def labels(truth: int, to_model: Tensor, size_hw: tuple[int, int]) -> dict[str, Any]:
        """The network's class index."""
        return {"label": int(to_model[truth])}

    @staticmethod
    def target(view: dict[str, Any]) -> int:
        """The class index, whatever the view."""
        return int(view["label"])

    def collate(self, targets: list[int]) -> Tensor:
        """Labels -> N int64."""
        return torch.tensor(targets, dtype=torch.int64)

    def loss(self, raw: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Cross-entropy, smoothed by 0.1 (C. Szegedy et al., CVPR 2016, section 7)."""
        return {"cls": F.cross_entropy(raw.float(), targets, label_smoothing=LABEL_SMOOTHING)}

    def distill(
        self, raw: Tensor, teacher_raw: Tensor, temperature: float, logits_only: bool = False
    ) -> Tensor:
        """T^2 KL(teacher || student), a mean over images (Hinton et al. 2015)."""
        student = F.log_softmax(raw.float() / temperature, dim=1)
        teacher = F.log_softmax(teacher_raw.float() / temperature, dim=1)
        return F.kl_div(student, teacher, log_target=True, reduction="batchmean") * temperature**2

    def meter(self, split: Any) -> ClassificationMeter:
        """Counts of right first choices."""
        return ClassificationMeter(self.class_names, split.class_names)

    def floor(self, split: Split) -> tuple[str, float]:
        """Over a predictor that always predicts the most frequent class."""
        counts = np.bincount([item.label for item in split.items])
        return CLS.metrics[0], floor_over(float(counts.max() / counts.sum()))

    @staticmethod
    def losses(
        truth: int, to_model: np.ndarray, before: Prediction, after: Prediction
    ) -> tuple[float, dict[str, float], list[int]]:
        """Whether the class was right and is not any more."""
        label = int(to_model[truth])
        assert before.probabilities is not None and after.probabilities is not None
        was, is_now = (
            int(p.argmax()) == label for p in (before.probabilities, after.probabilities)
        )
        lost = was and not is_now
        return float(lost), {"wrong class": 1.0} if lost else {}, [label] if lost else []
