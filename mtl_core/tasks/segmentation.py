"""What is each pixel: semantic segmentation.

Raw output: class logits N x C_seg x H/4 x W/4, background first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import tv_tensors

from mtl_core.data.mask_folders import read_mask_folder
from mtl_core.data.mask_io import read_seg
from mtl_core.data.splits import VOID, SegItem, Split
from mtl_core.metrics.mask_regressions import mask_losses
from mtl_core.metrics.miou import SegmentationMeter
from mtl_core.metrics.trivial_floor import floor_over
from mtl_core.tasks import SEG
from mtl_core.tasks.base import Task
from mtl_core.types import LabelMap, Prediction

FOCAL_GAMMA = 1.0  # exponent of the focal weight


class BilinearUpsample(nn.Module):
    """Doubles the resolution by a learned transposed convolution per class.

    Initialised as bilinear interpolation (J. Long et al., "Fully Convolutional Networks", CVPR
    2015, section 3.3).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(channels, channels, 4, 2, 1, groups=channels, bias=False)
        ramp = torch.tensor([0.25, 0.75, 0.75, 0.25])
        with torch.no_grad():
            self.up.weight.copy_((ramp[:, None] * ramp[None, :]).expand_as(self.up.weight))

    def forward(self, part: Tensor, context: Tensor) -> Tensor:
        """N x C x H x W -> N x C x 2H x 2W; the context is not used."""
        doubled: Tensor = self.up(part)
        return doubled


class Segmentation(Task):
    """Focal cross-entropy per pixel; mIoU."""

    info = SEG

    @property
    def channels(self) -> int:
        """One logit per class."""
        return len(self.class_names)

    def build_readout(self, context_channels: int) -> nn.Module:
        """Twice the resolution of the slice."""
        return BilinearUpsample(self.channels)

    @staticmethod
    def read_split(root: Path, name: str) -> Split:
        """Images with a mask of the same name beside each."""
        return read_mask_folder(root, name)

    @staticmethod
    def read(item: SegItem, split: Split) -> tuple[np.ndarray, np.ndarray]:
        """Pixels and the mask H x W uint8 of the data's class ids."""
        return read_seg(item, len(split.class_names))

    @staticmethod
    def labels(truth: np.ndarray, to_model: Tensor, size_hw: tuple[int, int]) -> dict[str, Any]:
        """The mask in the network's class ids."""
        table = torch.full((256,), VOID, dtype=torch.uint8)
        table[: len(to_model)] = to_model.to(torch.uint8)
        return {"mask": tv_tensors.Mask(table[torch.from_numpy(truth).long()].unsqueeze(0))}

    @staticmethod
    def target(view: dict[str, Any]) -> Tensor:
        """The view's mask S x S uint8."""
        mask: Tensor = view["mask"].as_subclass(Tensor)
        return mask[0]

    def collate(self, targets: list[Tensor]) -> Tensor:
        """Masks H x W -> N x H x W int64."""
        return torch.stack(targets).long()

    def loss(self, raw: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Cross-entropy weighted by (1 - p)^gamma, a mean over the pixels that are not void.

        T.-Y. Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, eq. 4, normalised by
        the sum of its weights so that it stays of the order of a cross-entropy.

        Args:
            raw: N x C x h x w logits.
            targets: N x H x W class indices, 255 for void; H a multiple of h.
        """
        labels = central_labels(targets, targets.shape[-1] // raw.shape[-1])
        # One distribution per cell, compared with each of the labels around the cell's middle.
        chances = F.log_softmax(raw.float(), dim=1)
        known = labels != VOID
        entropy = -chances.gather(1, labels.where(known, 0)) * known
        weight = (1 - torch.exp(-entropy.detach())) ** FOCAL_GAMMA * known
        # Half plain, half focal: the focal mean alone forgets to push easy pixels to certainty.
        plain = entropy.sum() / known.sum().clamp(min=1)
        focal = (entropy * weight).sum() / weight.sum().clamp(min=1)
        return {"seg": 0.5 * (plain + focal)}

    def distill(
        self, raw: Tensor, teacher_raw: Tensor, temperature: float, logits_only: bool = False
    ) -> Tensor:
        """Mean over pixels of T^2 KL(teacher || student).

        G. Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, section 2.
        """
        student = F.log_softmax(raw.float() / temperature, dim=1)
        teacher = F.log_softmax(teacher_raw.float() / temperature, dim=1)
        divergence = F.kl_div(student, teacher, log_target=True, reduction="none").sum(1)
        return divergence.mean() * temperature**2

    def meter(self, split: Any) -> SegmentationMeter:
        """A confusion matrix over the whole split."""
        return SegmentationMeter(self.class_names, split.class_names)

    def floor(self, split: Split) -> tuple[str, float]:
        """Over a predictor that predicts background everywhere."""
        meter = SegmentationMeter(split.class_names, split.class_names)
        for item in split.items:
            truth = self.read(item, split)[1]
            blank = LabelMap(np.zeros(truth.shape, np.uint8))
            meter.add(Prediction(truth.shape, {SEG.id: split.class_names}, {SEG.id: blank}), truth)
        return SEG.metrics[0], floor_over(meter.score().values[SEG.metrics[0]])

    @staticmethod
    def losses(
        truth: np.ndarray, to_model: np.ndarray, before: Prediction, after: Prediction
    ) -> tuple[float, dict[str, float], list[int]]:
        """Shares of pixels whose class was lost."""
        assert before.mask is not None and after.mask is not None
        table = np.full(256, VOID, np.uint8)
        table[: len(to_model)] = to_model
        return mask_losses(table[truth], before.mask, after.mask)


def central_labels(targets: Tensor, stride_px: int) -> Tensor:
    """The labels around the middle of every cell: N x H x W -> N x K x H/stride x W/stride.

    A cell's middle lies between pixels where the stride is even, and decoding interpolates between
    these middles; K is 4 there, the pixels that meet in the middle, and 1 where it is odd.
    """
    rows = sorted({(stride_px - 1) // 2, stride_px // 2})
    return torch.stack([targets[:, y::stride_px, x::stride_px] for y in rows for x in rows], dim=1)
