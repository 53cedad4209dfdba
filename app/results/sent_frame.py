"""Answers in the pixels of the image as it was sent, which may be larger than the one looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from mtl_core.types import Boxes, LabelMap, Part, Prediction, ScalarMap


def in_sent_frame(
    prediction: Prediction, size_hw: tuple[int, int], kind: type[Part] | None = None
) -> Prediction:
    """The same answers for the image in another size; its maps by the nearest pixel.

    Args:
        prediction: of the image in the size in which it was looked at.
        size_hw: height and width in pixels of the image as it was sent, upright.
        kind: keep answers of this type alone; resizing a map of many pixels takes time.
    """
    parts = {t: p for t, p in prediction.parts.items() if kind is None or isinstance(p, kind)}
    if prediction.size_hw != size_hw:
        parts = {task: _resized(part, prediction.size_hw, size_hw) for task, part in parts.items()}
    return replace(prediction, size_hw=size_hw, parts=parts)


def _resized(part: Part, from_hw: tuple[int, int], to_hw: tuple[int, int]) -> Part:
    if isinstance(part, Boxes):
        per_y, per_x = to_hw[0] / from_hw[0], to_hw[1] / from_hw[1]
        scale = np.array([per_x, per_y, per_x, per_y], np.float32)
        return replace(part, xyxy=part.xyxy * scale)
    if isinstance(part, LabelMap):
        return LabelMap(_nearest(part.ids, to_hw))
    if isinstance(part, ScalarMap):
        return ScalarMap(_nearest(part.values, to_hw))
    return part


def _nearest(values: np.ndarray, to_hw: tuple[int, int]) -> np.ndarray:
    size = to_hw[1], to_hw[0]
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.NEAREST))
