"""Raw outputs to answers, in NumPy: one rule for training, page and engines, without PyTorch."""

from __future__ import annotations

import numpy as np

from mtl_core.data.letterbox import Placement
from mtl_core.decoding.boxes import boxes_of
from mtl_core.decoding.masks import mask_of
from mtl_core.decoding.probabilities import probabilities_of
from mtl_core.decoding.scalar_maps import scalar_map_of
from mtl_core.decoding.score_scale import scaled, unscaled
from mtl_core.types import UNSCALED, Acceptance, Boxes, Kind, LabelMap, Part, ScoreScale


def decode(
    kind: Kind,
    raw: np.ndarray,
    box: Placement,
    score_threshold: float = 0.0,
    scale: ScoreScale = UNSCALED,
    acceptance: Acceptance | None = None,
) -> Part:
    """One task's raw output of one image (no batch axis) -> its answer in the image's own frame.

    Args:
        kind: of the task's answers.
        raw: float32, of the shape that the kind's file describes.
        box: where the image lay in the network's input.
        score_threshold: boxes below it are left out.
        scale: of the boxes' scores.
        acceptance: from where on bars count as one of the classes.
    """
    if kind == "boxes":
        boxes = boxes_of(raw, box, unscaled(score_threshold, scale))
        found = Boxes(boxes.xyxy, scaled(boxes.scores, scale), boxes.labels)
        return found.above(score_threshold)
    if kind == "label_map":
        return LabelMap(mask_of(raw, box))
    if kind == "bars":
        return probabilities_of(raw, acceptance)
    return scalar_map_of(raw, box)
