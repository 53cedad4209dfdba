"""From an image to the graphs' input, without PyTorch."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from mtl_core.config import ModelConfig
from mtl_core.data.letterbox import PAD_VALUE, Placement, check_rgb

LARGE_BYTES = 2**20  # a larger image is resized in two halves at once: Pillow uses one core


def prepare(image: np.ndarray, config: ModelConfig) -> tuple[np.ndarray, Placement]:
    """H x W x 3 uint8 RGB -> 1 x H' x W' x 3 uint8 input and its placement.

    The same pixels as ``letterbox.to_input`` before its normalisation, which the graphs hold:
    Pillow's bilinear filter is the antialiased one that torchvision uses for uint8.

    Raises:
        InputError: the array is not an RGB image.
    """
    check_rgb(image)
    box = Placement.of((image.shape[0], image.shape[1]), config)
    height, width = box.content_hw
    if box.content_hw != box.size_hw:
        image = resized(np.ascontiguousarray(image), height, width)
    if box.content_hw == box.input_hw:
        return np.ascontiguousarray(image)[None], box
    pixels = np.full((1, *box.input_hw, 3), PAD_VALUE, np.uint8)
    pixels[0, :height, :width] = image
    return pixels, box


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """H x W x 3 uint8 -> height x width x 3, bilinear and antialiased."""
    if image.nbytes < LARGE_BYTES or height < 2:
        return _rows(image, height, width, 0, height)
    # Always two, whatever the number of cores, so that every machine computes the same.
    cuts = (0, height // 2), (height // 2, height)
    with ThreadPoolExecutor(2) as pool:
        halves = pool.map(lambda cut: _rows(image, height, width, *cut), cuts)
    return np.concatenate(list(halves))


def _rows(image: np.ndarray, height: int, width: int, first: int, end: int) -> np.ndarray:
    """Rows ``first`` to ``end`` of the resized image, from the rows that they depend on."""
    per_row = len(image) / height
    top, bottom = first * per_row, end * per_row
    reach = max(1.0, per_row) + 1  # of the filter, in rows of the image
    low, high = max(0, math.floor(top - reach)), min(len(image), math.ceil(bottom + reach))
    box = (0, top - low, image.shape[1], min(bottom, len(image)) - low)
    part = Image.fromarray(image[low:high])
    return np.asarray(part.resize((width, end - first), Image.Resampling.BILINEAR, box=box))
