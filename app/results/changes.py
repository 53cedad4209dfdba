"""What one network says otherwise than another, of the same image. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.palette import is_background
from mtl_core.decoding.boxes import overlaps
from mtl_core.types import Boxes, Prediction

# A matched box that overlaps less than this has visibly moved.
STEADY_IOU = 0.75
MATCH_IOU = 0.5


@dataclass(frozen=True)
class BoxChange:
    """One box on either side: ``kind`` is lost, found, shifted, renamed or kept."""

    kind: str
    before: str | None
    after: str | None
    score_before: float | None
    score_after: float | None
    iou: float | None


@dataclass(frozen=True)
class MaskChange:
    """Pixels that went from one class to another: their number and their share of the image."""

    before: str
    after: str
    pixels: int
    share: float


@dataclass(frozen=True)
class Changes:
    """All differences; a part is None where one of the two was never trained that task."""

    boxes: list[BoxChange] | None
    mask: list[MaskChange] | None
    mask_agreement: float | None
    top_before: tuple[str | None, float] | None
    top_after: tuple[str | None, float] | None


def compare(before: Prediction, after: Prediction, score_threshold: float) -> Changes:
    """What changed from ``before`` to ``after``; both of the same image.

    Args:
        before, after: two networks' answers, with None for what a network was never trained.
        score_threshold: boxes below it count as not there.
    """
    boxes = mask = agreement = top_before = top_after = None
    if before.boxes is not None and after.boxes is not None:
        boxes = compare_boxes(
            before.boxes.above(score_threshold),
            after.boxes.above(score_threshold),
            before.names("boxes"),
            after.names("boxes"),
        )
    if before.mask is not None and after.mask is not None:
        names = before.names("label_map"), after.names("label_map")
        mask = compare_masks(before.mask, after.mask, *names)
        agreement = 1.0 - sum(change.share for change in mask)
    if before.probabilities is not None and after.probabilities is not None:
        top_before, top_after = top_class(before), top_class(after)
    return Changes(boxes, mask, agreement, top_before, top_after)


def compare_boxes(
    before: Boxes, after: Boxes, names_before: list[str], names_after: list[str]
) -> list[BoxChange]:
    """Match boxes one to one, best overlap first; the same class first, then any other.

    Returns:
        Changes in the order lost, renamed, shifted, found, kept.
    """
    overlap = overlaps(before.xyxy[:, None], after.xyxy)
    left, right = before.names(names_before), after.names(names_after)
    same = np.array([[a == b for b in right] for a in left], bool).reshape(overlap.shape)
    changes: list[BoxChange] = []
    free_before, free_after = set(range(len(before))), set(range(len(after)))
    for allowed in (same, ~same):
        candidates = np.argwhere(allowed & (overlap >= MATCH_IOU))
        order = np.argsort(-overlap[tuple(candidates.T)], kind="stable")
        for i, j in candidates[order]:
            if i not in free_before or j not in free_after:
                continue
            free_before.discard(int(i))
            free_after.discard(int(j))
            iou = float(overlap[i, j])
            kind = "renamed" if left[i] != right[j] else "kept" if iou >= STEADY_IOU else "shifted"
            scores = float(before.scores[i]), float(after.scores[j])
            changes.append(BoxChange(kind, left[i], right[j], *scores, iou))
    for i in sorted(free_before):
        changes.append(BoxChange("lost", left[i], None, float(before.scores[i]), None, None))
    for j in sorted(free_after):
        changes.append(BoxChange("found", None, right[j], None, float(after.scores[j]), None))
    rank = {"lost": 0, "renamed": 1, "shifted": 2, "found": 3, "kept": 4}
    return sorted(changes, key=lambda change: rank[change.kind])


def compare_masks(
    before: np.ndarray, after: np.ndarray, names_before: list[str], names_after: list[str]
) -> list[MaskChange]:
    """Pixels that changed class, the largest group first.

    Args:
        before, after: H x W uint8 class indices, each with its own names in index order.
    """
    pairs = np.bincount((before.astype(np.int32) * 256 + after).ravel(), minlength=65536)
    changes = []
    for pair in np.flatnonzero(pairs).tolist():
        left, right = _name(names_before, pair // 256), _name(names_after, pair % 256)
        if left != right:
            count = int(pairs[pair])
            changes.append(MaskChange(left, right, count, count / before.size))
    return sorted(changes, key=lambda change: -change.pixels)


def top_class(prediction: Prediction) -> tuple[str | None, float]:
    """The most probable class, None where the image seems to be of none, and its probability."""
    assert prediction.probabilities is not None
    best = int(prediction.probabilities.argmax())
    name = None if prediction.none_of_these else prediction.names("bars")[best]
    return name, float(prediction.probabilities[best])


def mask_shares(mask: np.ndarray, class_names: list[str]) -> dict[str, float]:
    """Each class's share of the image, largest first, background left out."""
    counts = np.bincount(mask.ravel(), minlength=256)
    shares = {
        name: counts[index] / mask.size
        for index, name in enumerate(class_names)
        if counts[index] and not is_background(name)
    }
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _name(names: list[str], index: int) -> str:
    return names[index] if index < len(names) else "void"
