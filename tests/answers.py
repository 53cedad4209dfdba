"""Predictions of the three usual tasks, written shortly."""

from __future__ import annotations

from typing import Any

import numpy as np

from mtl_core.types import Boxes, LabelMap, Part, Prediction, Probabilities


def prediction(
    size_hw: tuple[int, int],
    names: dict[str, list[str]],
    *,
    boxes: Boxes | None = None,
    mask: np.ndarray | None = None,
    probabilities: np.ndarray | None = None,
    **more: Any,
) -> Prediction:
    """What a network says; what is None is left out."""
    parts: dict[str, Part] = {}
    if mask is not None:
        parts["seg"] = LabelMap(mask)
    if boxes is not None:
        parts["det"] = boxes
    if probabilities is not None:
        parts["cls"] = Probabilities(probabilities)
    return Prediction(size_hw, names, parts, **more)
