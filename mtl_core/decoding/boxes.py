"""Boxes from detection's raw output, in NumPy: the one rule for training, page and engines."""

from __future__ import annotations

import math

import numpy as np

from mtl_core.data.letterbox import Placement
from mtl_core.types import Boxes

# As in tasks/box_coding.py, which needs PyTorch; a test holds them equal.
STRIDE_PX, LOG_DISTANCE_MIN, LOG_DISTANCE_MAX = 8, -5.0, 5.0
SCORE_MIN, NMS_IOU, NMS_CANDIDATES, MAX_BOXES = 0.005, 0.4, 600, 100
SHOWN_SCORE = 0.25  # boxes below it are neither drawn nor counted unless somebody asks
VOTE_IOU = 0.45  # candidates of its class that overlap a kept box by more than this move it


def boxes_of(raw: np.ndarray, box: Placement, score_threshold: float = 0.0) -> Boxes:
    """(4 + 1 + C) x h x w float32 -> at most 100 boxes in original pixels, best first.

    A score is sigmoid(objectness) x softmax(class). After suppression within each class, a kept
    box becomes the mean of the candidates around it, weighted by their scores: box voting after
    S. Gidaris, N. Komodakis, "Object detection via a multi-region & semantic segmentation-aware
    CNN model", ICCV 2015, section 5.

    Args:
        raw: log distances to left, top, right and bottom in strides, objectness, class logits.
        box: where the image lay in the input.
        score_threshold: boxes below it are left out. A box never suppresses a better one, so
            leaving them out before suppression gives what leaving them out in the end would, in
            less time; they still vote.
    """
    columns = raw.shape[2]
    flat = raw.reshape(len(raw), -1)
    # A score is objectness times a probability, so cells below the bound need no softmax; the
    # bound is a little lower here, as the logistic function is rounded.
    cells = np.flatnonzero(flat[4] > math.log(SCORE_MIN / (1 - SCORE_MIN)) - 0.01)
    objectness = 1 / (1 + np.exp(-flat[4, cells]))
    classes = flat[5:, cells].T
    classes = np.exp(classes - classes.max(1, keepdims=True, initial=-np.inf))
    scores = objectness[:, None] * (classes / classes.sum(1, keepdims=True))
    rows, labels = (scores > SCORE_MIN).nonzero()
    values = scores[rows, labels]
    order = best_first(values, NMS_CANDIDATES)
    cells, labels, values = cells[rows[order]], labels[order], values[order].astype(np.float32)
    centres = (np.stack([cells % columns, cells // columns], 1) + 0.5) * STRIDE_PX
    reach = np.exp(flat[:4, cells].T.clip(LOG_DISTANCE_MIN, LOG_DISTANCE_MAX)) * STRIDE_PX
    xyxy = np.concatenate([centres - reach[:, :2], centres + reach[:, 2:]], 1).astype(np.float32)
    xyxy = box.boxes_to_original(xyxy)
    solid = (xyxy[:, 2:] > xyxy[:, :2]).all(1)
    xyxy, labels, values = xyxy[solid], labels[solid], values[solid]
    wanted = int((values >= score_threshold).sum())
    keep, near = suppress(xyxy, labels, wanted, NMS_IOU, MAX_BOXES)
    voted = vote(xyxy, values, near)
    return Boxes(voted, values[keep], labels[keep].astype(np.int64))


def best_first(values: np.ndarray, limit: int) -> np.ndarray:
    """Indices of the ``limit`` largest values, largest first, equal ones in their order."""
    if len(values) > limit:
        possible = np.flatnonzero(values >= np.partition(values, -limit)[-limit])
        return possible[np.argsort(-values[possible], kind="stable")[:limit]]
    return np.argsort(-values, kind="stable")


def overlaps(xyxy: np.ndarray, others: np.ndarray) -> np.ndarray:
    """... x 4 boxes against ... x 4 others, broadcast -> intersections over unions, 0 of none."""
    low = np.maximum(xyxy[..., :2], others[..., :2])
    sides = np.maximum(np.minimum(xyxy[..., 2:], others[..., 2:]) - low, 0)
    shared = sides[..., 0] * sides[..., 1]
    areas = [(b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1]) for b in (xyxy, others)]
    return np.asarray(shared / np.maximum(areas[0] + areas[1] - shared, 1e-9))


def suppress(
    xyxy: np.ndarray, labels: np.ndarray, wanted: int, iou: float, limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Greedy non-maximum suppression within each class.

    Args:
        xyxy: N x 4, best score first.
        labels: N; boxes of different labels never suppress each other.
        wanted: only the first so many may be kept.
        iou: a box that overlaps a better one by more than this goes.
        limit: stop when this many are kept.

    Returns:
        Indices of the K boxes kept, ascending, and their overlaps K x N with all boxes of their
        own label; 0 elsewhere.
    """
    alive = np.ones(len(xyxy), bool)
    alive[wanted:] = False
    keep: list[int] = []
    near: list[np.ndarray] = []
    for i in range(wanted):
        if not alive[i]:
            continue
        keep.append(i)
        near.append(overlaps(xyxy, xyxy[i]) * (labels == labels[i]))
        if len(keep) == limit:
            break
        alive &= near[-1] <= iou
    return np.array(keep, np.int64), np.array(near, np.float32).reshape(len(keep), len(xyxy))


def vote(xyxy: np.ndarray, values: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Kept boxes K x 4, each the mean of its neighbours N x 4 weighted by their scores N."""
    if not len(near):
        return np.empty((0, 4), np.float32)
    weights = values * (near > VOTE_IOU)
    voted = weights @ xyxy / weights.sum(1, keepdims=True)
    # Rounding must not leave the image.
    return np.asarray(voted.clip(xyxy.min(0), xyxy.max(0)))
