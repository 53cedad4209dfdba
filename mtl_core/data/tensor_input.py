"""From an original image to the network's input, in PyTorch.

The geometry, which engines without PyTorch share, is in ``placement.py``.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as v2f

from mtl_core.config import ModelConfig
from mtl_core.data.letterbox import PAD_VALUE, Placement, check_rgb, evaluation_scale

__all__ = ["PAD_VALUE", "evaluation_scale", "normalise", "to_input"]


def normalise(pixels: Tensor, config: ModelConfig) -> Tensor:
    """uint8 ... x 3 x H x W in 0..255 -> float32 in the backbone's input statistics."""
    mean = torch.tensor(config.mean).view(3, 1, 1) * 255
    std = torch.tensor(config.std).view(3, 1, 1) * 255
    return (pixels.float() - mean.to(pixels.device)) / std.to(pixels.device)


def to_input(image: np.ndarray, config: ModelConfig) -> tuple[Tensor, Placement]:
    """H x W x 3 uint8 RGB -> 1 x 3 x H' x W' float32 input and its placement.

    Raises:
        InputError: the array is not an RGB image.
    """
    check_rgb(image)
    box = Placement.of((image.shape[0], image.shape[1]), config)
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
    pixels = v2f.resize(pixels, list(box.content_hw), antialias=True)
    right, bottom = (
        box.input_hw[1] - box.content_hw[1],
        box.input_hw[0] - box.content_hw[0],
    )
    pixels = v2f.pad(pixels, [0, 0, right, bottom], fill=PAD_VALUE)
    return normalise(pixels.unsqueeze(0), config), box
