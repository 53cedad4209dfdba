"""A number per pixel from a coarse map, in NumPy."""

from __future__ import annotations

import numpy as np
from PIL import Image

from mtl_core.data.letterbox import Placement
from mtl_core.types import ScalarMap


def scalar_map_of(raw: np.ndarray, box: Placement) -> ScalarMap:
    """1 x h x w float32 over the whole input -> the map of the original image, bilinear.

    Args:
        raw: values in the task's unit.
        box: where the image lay in the input.
    """
    height, width = raw.shape[-2:]
    content = (
        box.content_hw[1] * width / box.input_hw[1],
        box.content_hw[0] * height / box.input_hw[0],
    )
    coarse = Image.fromarray(np.ascontiguousarray(raw.reshape(height, width), np.float32))
    size_wh = (box.size_hw[1], box.size_hw[0])
    drawn = coarse.resize(size_wh, Image.Resampling.BILINEAR, box=(0, 0, *content))
    return ScalarMap(np.asarray(drawn, np.float32))
