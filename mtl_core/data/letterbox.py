"""Where an image lies in the network's input: plain geometry that every engine shares.

An image keeps its proportions, its long side becomes ``input_px`` (a small image is enlarged at
most ``max_enlarge`` times), and right and bottom are padded to multiples of 32 with mid grey.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from mtl_core.config import ModelConfig
from mtl_core.types import InputError

PAD_VALUE = 128  # mid grey: close to zero after normalisation


def evaluation_scale(size_hw: tuple[int, int], config: ModelConfig) -> float:
    """Input pixels per original pixel when an image of this size is evaluated."""
    return min(config.input_px / max(size_hw), config.max_enlarge)


def check_rgb(image: np.ndarray) -> None:
    """Refuse what is not an image.

    Raises:
        InputError: the array is not H x W x 3 uint8, or holds no pixel.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise InputError(
            f"The image is {image.dtype} {image.shape}, expected uint8 H x W x 3 (RGB), "
            "H and W at least 1."
        )


@dataclass(frozen=True)
class Placement:
    """Where an image lies in the network's input.

    Attributes:
        size_hw: original height and width, pixels.
        content_hw: height and width of the resized image inside the input, pixels.
        input_hw: height and width of the input, multiples of 32, pixels.
    """

    size_hw: tuple[int, int]
    content_hw: tuple[int, int]
    input_hw: tuple[int, int]

    @classmethod
    def of(cls, size_hw: tuple[int, int], config: ModelConfig) -> Self:
        """The placement of an image of this size."""
        scale = evaluation_scale(size_hw, config)
        content = tuple(max(1, round(side * scale)) for side in size_hw)
        padded = tuple(-(-side // 32) * 32 for side in content)
        return cls(size_hw, (content[0], content[1]), (padded[0], padded[1]))

    def boxes_to_original(self, boxes_xyxy_input: np.ndarray) -> np.ndarray:
        """N x 4 boxes in input pixels -> in original pixels, clipped to the image."""
        h, w = self.size_hw
        per_x, per_y = w / self.content_hw[1], h / self.content_hw[0]
        boxes = boxes_xyxy_input * np.array([per_x, per_y, per_x, per_y], np.float32)
        return boxes.clip(0, np.array([w, h, w, h], np.float32)).astype(np.float32)
