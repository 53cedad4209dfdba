"""From an original picture to the network's input and back, in PyTorch.

The geometry, which engines without PyTorch share, is in ``placement.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as v2f

from mtl_core.config import ModelConfig
from mtl_core.data.placement import PAD_VALUE, Placement, check_rgb, evaluation_scale

__all__ = ["PAD_VALUE", "Letterbox", "evaluation_scale", "normalise", "to_input"]


@dataclass(frozen=True)
class Letterbox(Placement):
    """A placement that also brings maps of logits back to the original picture."""

    def logits_to_mask(self, logits: Tensor) -> np.ndarray:
        """C x h x w class logits over the input, at any stride -> size_hw uint8 class indices."""
        _, h, w = logits.shape
        rows = self.content_hw[0] * h / self.input_hw[0]
        columns = self.content_hw[1] * w / self.input_hw[1]
        # One grid over exactly the content: row i of the original lies at (i + 0.5) / H of it.
        ys = (torch.arange(self.size_hw[0]) + 0.5) / self.size_hw[0] * rows * 2 / h - 1
        xs = (torch.arange(self.size_hw[1]) + 0.5) / self.size_hw[1] * columns * 2 / w - 1
        grid = torch.stack(torch.meshgrid(ys, xs, indexing="ij")[::-1], dim=-1).unsqueeze(0)
        sampled = F.grid_sample(
            logits.unsqueeze(0).float(), grid, padding_mode="border", align_corners=False
        )
        return sampled[0].argmax(0).to(torch.uint8).numpy()


def normalise(pixels: Tensor, config: ModelConfig) -> Tensor:
    """uint8 ... x 3 x H x W in 0..255 -> float32 in the trunk's input statistics."""
    mean = torch.tensor(config.mean).view(3, 1, 1) * 255
    std = torch.tensor(config.std).view(3, 1, 1) * 255
    return (pixels.float() - mean.to(pixels.device)) / std.to(pixels.device)


def to_input(picture: np.ndarray, config: ModelConfig) -> tuple[Tensor, Letterbox]:
    """H x W x 3 uint8 RGB -> 1 x 3 x H' x W' float32 input and its placement.

    Raises:
        InputError: the array is not an RGB picture.
    """
    check_rgb(picture)
    box = Letterbox.of((picture.shape[0], picture.shape[1]), config)
    pixels = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)
    pixels = v2f.resize(pixels, list(box.content_hw), antialias=True)
    right, bottom = (
        box.input_hw[1] - box.content_hw[1],
        box.input_hw[0] - box.content_hw[0],
    )
    pixels = v2f.pad(pixels, [0, 0, right, bottom], fill=PAD_VALUE)
    return normalise(pixels.unsqueeze(0), config), box
