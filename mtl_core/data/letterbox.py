"""From an original picture to the network's input and back; the only place that knows how.

A picture keeps its proportions, its long side becomes ``input_px`` (a small picture is enlarged at
most ``max_enlarge`` times), and right and bottom are padded to multiples of 32 with mid grey.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as v2f

from mtl_core.config import ModelConfig
from mtl_core.types import InputError

PAD_VALUE = 128  # mid grey: close to zero after normalisation


def evaluation_scale(size_hw: tuple[int, int], config: ModelConfig) -> float:
    """Input pixels per original pixel when a picture of this size is evaluated."""
    return min(config.input_px / max(size_hw), config.max_enlarge)


@dataclass(frozen=True)
class Letterbox:
    """Where a picture lies in the network's input.

    Attributes:
        size_hw: original height and width, pixels.
        content_hw: height and width of the resized picture inside the input, pixels.
        input_hw: height and width of the input, multiples of 32, pixels.
    """

    size_hw: tuple[int, int]
    content_hw: tuple[int, int]
    input_hw: tuple[int, int]

    @staticmethod
    def of(size_hw: tuple[int, int], config: ModelConfig) -> Letterbox:
        """The placement of a picture of this size."""
        scale = evaluation_scale(size_hw, config)
        content = tuple(max(1, round(side * scale)) for side in size_hw)
        padded = tuple(-(-side // 32) * 32 for side in content)
        return Letterbox(size_hw, (content[0], content[1]), (padded[0], padded[1]))

    def boxes_to_original(self, boxes_xyxy_input: np.ndarray) -> np.ndarray:
        """N x 4 boxes in input pixels -> in original pixels, clipped to the picture."""
        h, w = self.size_hw
        per_x, per_y = w / self.content_hw[1], h / self.content_hw[0]
        boxes = boxes_xyxy_input * np.array([per_x, per_y, per_x, per_y], np.float32)
        return boxes.clip(0, np.array([w, h, w, h], np.float32)).astype(np.float32)

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
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise InputError(
            f"The picture is {picture.dtype} {picture.shape}, expected uint8 H x W x 3 (RGB)."
        )
    box = Letterbox.of((picture.shape[0], picture.shape[1]), config)
    pixels = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)
    pixels = v2f.resize(pixels, list(box.content_hw), antialias=True)
    right, bottom = (
        box.input_hw[1] - box.content_hw[1],
        box.input_hw[0] - box.content_hw[0],
    )
    pixels = v2f.pad(pixels, [0, 0, right, bottom], fill=PAD_VALUE)
    return normalise(pixels.unsqueeze(0), config), box
