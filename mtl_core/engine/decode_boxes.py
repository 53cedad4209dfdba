"""Boxes from detection's raw output, in NumPy: the same rule as ``Detection.decode``."""

from __future__ import annotations

import math

import numpy as np

from mtl_core.data.placement import Placement
from mtl_core.types import Boxes

# As in tasks/detection.py and tasks/boxes.py, which need PyTorch; a test holds them equal.
STRIDE_PX, LOG_DISTANCE_MAX = 8, 5.0
SCORE_MIN, NMS_IOU, NMS_CANDIDATES, MAX_BOXES = 0.005, 0.6, 600, 100


def boxes_of(raw: np.ndarray, box: Placement, score_threshold: float = 0.0) -> Boxes:
    """(4 + 1 + C) x h x w float32 -> at most 100 boxes in original pixels, best first.

    Args:
        raw: log distances to left, top, right and bottom in strides, objectness, class logits.
        box: where the picture lay in the input.
        score_threshold: boxes below it are left out. A box never suppresses a better one, so
            leaving them out at once gives what leaving them out in the end would, in less time.
    """
    lowest = max(SCORE_MIN, np.nextafter(np.float32(score_threshold), np.float32(0)))
    columns = raw.shape[2]
    flat = raw.reshape(len(raw), -1)
    # A score is objectness times a probability, so cells below the bound need no softmax; the
    # bound is a little lower here, as the logistic function is rounded.
    lowest_logit = math.log(lowest / (1 - lowest)) if lowest < 1 else math.inf
    cells = np.flatnonzero(flat[4] > lowest_logit - 0.01)
    objectness = 1 / (1 + np.exp(-flat[4, cells]))
    classes = flat[5:, cells].T
    classes = np.exp(classes - classes.max(1, keepdims=True, initial=-np.inf))
    scores = objectness[:, None] * (classes / classes.sum(1, keepdims=True))
    rows, labels = (scores > lowest).nonzero()
    values = scores[rows, labels]
    order = np.argsort(-values, kind="stable")[:NMS_CANDIDATES]
    cells, labels, values = cells[rows[order]], labels[order], values[order]
    centres = (np.stack([cells % columns, cells // columns], 1) + 0.5) * STRIDE_PX
    reach = np.exp(np.minimum(flat[:4, cells].T, LOG_DISTANCE_MAX)) * STRIDE_PX
    xyxy = np.concatenate([centres - reach[:, :2], centres + reach[:, 2:]], 1).astype(np.float32)
    xyxy = box.boxes_to_original(xyxy)
    solid = (xyxy[:, 2:] > xyxy[:, :2]).all(1)
    xyxy, labels, values = xyxy[solid], labels[solid], values[solid].astype(np.float32)
    keep = suppress(xyxy, labels, NMS_IOU, MAX_BOXES)
    return Boxes(xyxy[keep], values[keep], labels[keep].astype(np.int64))


def suppress(xyxy: np.ndarray, labels: np.ndarray, iou: float, limit: int) -> np.ndarray:
    """Greedy non-maximum suppression within each class.

    Args:
        xyxy: N x 4, best score first.
        labels: N; boxes of different labels never suppress each other.
        iou: a box that overlaps a better one by more than this goes.
        limit: stop when this many are kept.

    Returns:
        Indices of the boxes kept, ascending.
    """
    areas = (xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1])
    alive = np.ones(len(xyxy), bool)
    keep: list[int] = []
    for i in range(len(xyxy)):
        if not alive[i]:
            continue
        keep.append(i)
        if len(keep) == limit:
            break
        later = slice(i + 1, None)
        lower = np.maximum(xyxy[later, :2], xyxy[i, :2])
        upper = np.minimum(xyxy[later, 2:], xyxy[i, 2:])
        sides = np.maximum(upper - lower, 0)
        shared = sides[:, 0] * sides[:, 1]
        over = shared > iou * (areas[later] + areas[i] - shared)
        alive[later] &= ~(over & (labels[later] == labels[i]))
    return np.array(keep, np.int64)
