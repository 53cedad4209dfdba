"""A task of one's own: how far away is each pixel of a rendered scene."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import tv_tensors

from mtl_core.config import RunConfig, StageConfig
from mtl_core.data.image_io import read_image
from mtl_core.data.splits import VOID, Split
from mtl_core.data.synthetic.scene import Scene
from mtl_core.metrics.base import Meter, Score
from mtl_core.presets import tiny
from mtl_core.tasks.base import Task
from mtl_core.tasks.segmentation import central_labels
from mtl_core.types import InputError, Prediction, ScalarMap, TaskInfo

LEVELS = 254  # of a stored depth map: 0 is 0.2, 254 is 1, the background


@dataclass(frozen=True)
class DepthItem:
    """An image and the map of depth levels beside it."""

    image: Path
    depth: Path


class DepthMeter(Meter):
    """Over all pixels: delta1, the share whose ratio to the truth is below 1.25, and the RMSE.

    D. Eigen et al., "Depth Map Prediction from a Single Image", NIPS 2014, section 4.2.
    """

    def __init__(self) -> None:
        self.sums: list[tuple[int, float, float]] = []  # pixels, near ones, squared error

    def add(self, prediction: Prediction, item: np.ndarray) -> None:
        """A prediction beside its annotated depth H x W float32."""
        part = prediction.of_kind("scalar_map")
        assert part is not None and isinstance(part[1], ScalarMap)
        found = part[1].values.clip(1e-3, None)
        near = np.maximum(found / item, item / found) < 1.25
        self.sums.append((item.size, float(near.sum()), float(np.square(found - item).sum())))

    def score(self) -> Score:
        """Both metrics."""
        values = {k: float(v[0]) for k, v in self.resampled(np.ones((1, len(self.sums)))).items()}
        return Score(values, {}, len(self.sums))

    def resampled(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """See Meter.resampled."""
        pixels, near, squares = counts @ np.array(self.sums, np.float64).T.reshape(3, -1, 1)
        return {"delta1": (near / pixels)[:, 0], "rmse": np.sqrt(squares / pixels)[:, 0]}


class Sigmoid(nn.Module):
    """The slice, squeezed into 0..1."""

    def forward(self, part: Tensor, context: Tensor) -> Tensor:
        """N x 1 x H x W."""
        return part.sigmoid()


class Depth(Task):
    """One depth per pixel, learned by the absolute error."""

    info = TaskInfo("depth", ("delta1", "rmse"), "scalar_map", "scene_depth")

    @staticmethod
    def read_split(root: Path, name: str) -> Split:
        """Images with a depth map of the same name beside each."""
        items = [DepthItem(p, p.with_suffix(".png")) for p in sorted((root / name).glob("*.jpg"))]
        if not items:
            raise InputError(f"{root / name} holds no .jpg, expected images with depth maps.")
        return Split(["depth"], items, name)

    @property
    def channels(self) -> int:
        """One number per cell."""
        return 1

    def build_readout(self, context_channels: int) -> nn.Module:
        """Into the range of depths."""
        return Sigmoid()

    @staticmethod
    def read(item: DepthItem, split: Split) -> tuple[np.ndarray, np.ndarray]:
        """Pixels and the depth H x W float32 in 0.2..1."""
        levels = np.asarray(Image.open(item.depth))
        return read_image(item.image), (0.2 + 0.8 * levels / LEVELS).astype(np.float32)

    @staticmethod
    def labels(truth: np.ndarray, to_model: Tensor, size_hw: tuple[int, int]) -> dict[str, Any]:
        """The depth in levels: a mask moves with the pixels, and 255 is outside of them."""
        levels = torch.from_numpy((truth - 0.2) / 0.8 * LEVELS).round().to(torch.uint8)
        return {"mask": tv_tensors.Mask(levels.unsqueeze(0))}

    @staticmethod
    def target(view: dict[str, Any]) -> Tensor:
        """The view's levels S x S."""
        return view["mask"].as_subclass(Tensor)[0]

    def collate(self, targets: list[Tensor]) -> Tensor:
        """N x S x S int64."""
        return torch.stack(targets).long()

    def loss(self, raw: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Mean absolute error over the pixels around each cell's middle."""
        levels = central_labels(targets, targets.shape[-1] // raw.shape[-1])
        known = levels != VOID
        gap = (raw.float() - (0.2 + 0.8 * levels / LEVELS)).abs() * known
        return {"depth": gap.sum() / known.sum().clamp(min=1)}

    def distill(
        self, raw: Tensor, teacher_raw: Tensor, temperature: float, logits_only: bool = False
    ) -> Tensor:
        """Mean absolute difference."""
        return (raw.float() - teacher_raw.float()).abs().mean()

    def meter(self, split: Split) -> DepthMeter:
        """Sums over the whole split."""
        return DepthMeter()


def with_depth() -> RunConfig:
    """The tiny preset with depth as its fourth stage."""
    config = tiny()
    last = config.stages[-1]
    kept = {stage.task: 1.0 for stage in config.stages}
    common = {"epochs": 2, "crop_px": last.crop_px, "batch": last.batch, "scale": last.scale}
    stage = StageConfig("depth", lr=3e-3, distill=kept, **common)
    return replace(config, preset="with_depth", stages=(*config.stages, stage))


def render_depth(root: Path, counts: dict[str, int], size_px: int = 96, seed: int = 0) -> None:
    """Scenes with their depth: what was placed later lies nearer."""
    for split, count in counts.items():
        folder = root / split
        folder.mkdir(parents=True)
        for number in range(count):
            rng = np.random.default_rng([seed, number, split == "train"])
            scene = Scene.with_background(size_px, size_px, rng)
            for _ in range(4):
                scene.place(int(rng.integers(5)), rng.uniform(0.1, 0.3) * size_px)
            order = scene.owner / max(1, len(scene.kinds))
            levels = np.rint(LEVELS * (1 - order)).astype(np.uint8)
            Image.fromarray(scene.image()).save(folder / f"{split}{number:03d}.jpg")
            Image.fromarray(levels).save(folder / f"{split}{number:03d}.png")
