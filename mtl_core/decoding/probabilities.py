"""Raw outputs to the fields of a Prediction, without PyTorch where a task is one of the three."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mtl_core.data.letterbox import Placement
from mtl_core.decoding.boxes import boxes_of
from mtl_core.decoding.masks import mask_of


def softmax(logits: np.ndarray) -> np.ndarray:
    """C logits -> C float32 probabilities."""
    powers = np.exp(logits - logits.max())
    return (powers / powers.sum()).astype(np.float32)


# raw output, placement, score threshold -> fields of Prediction
DECODERS: dict[str, Callable[[np.ndarray, Placement, float], dict[str, Any]]] = {
    "seg": lambda raw, box, threshold: {"mask": mask_of(raw, box)},
    "det": lambda raw, box, threshold: {"boxes": boxes_of(raw, box, threshold)},
    "cls": lambda raw, box, threshold: {"probabilities": softmax(raw)},
}


def decode(
    task: str, class_names: list[str], raw: np.ndarray, box: Placement, score_threshold: float
) -> dict[str, Any]:
    """One task's raw output of one image (no batch axis) -> its fields of Prediction.

    A task that has no decoder here is decoded by its own object, which needs PyTorch.
    """
    if task in DECODERS:
        parts = DECODERS[task](raw, box, score_threshold)
    else:
        from mtl_core.tasks import TASKS

        parts = TASKS[task](class_names).decode(raw, box)
    if "boxes" in parts:
        parts["boxes"] = parts["boxes"].above(score_threshold)
    return parts
