"""From a picture to the graphs' input, without PyTorch."""

from __future__ import annotations

import numpy as np
from PIL import Image

from mtl_core.config import ModelConfig
from mtl_core.data.placement import PAD_VALUE, Placement, check_rgb


def prepare(picture: np.ndarray, config: ModelConfig) -> tuple[np.ndarray, Placement]:
    """H x W x 3 uint8 RGB -> 1 x H' x W' x 3 uint8 input and its placement.

    The same pixels as ``letterbox.to_input`` before its normalisation, which the graphs hold:
    Pillow's bilinear filter is the antialiased one that torchvision uses for uint8.

    Raises:
        InputError: the array is not an RGB picture.
    """
    check_rgb(picture)
    box = Placement.of((picture.shape[0], picture.shape[1]), config)
    height, width = box.content_hw
    if box.content_hw != box.size_hw:
        image = Image.fromarray(np.ascontiguousarray(picture))
        picture = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    if box.content_hw == box.input_hw:
        return np.ascontiguousarray(picture)[None], box
    pixels = np.full((1, *box.input_hw, 3), PAD_VALUE, np.uint8)
    pixels[0, :height, :width] = picture
    return pixels, box
