"""Objects that were found before and are not after.

Kinds follow the errors of D. Bolya et al., "TIDE: A General Toolbox for Identifying Object
Detection Errors", ECCV 2020, section 2.2.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from mtl_core.decoding.boxes import SHOWN_SCORE, overlaps
from mtl_core.types import Boxes

HIT, NEAR = 0.5, 0.1  # overlaps from which a box hits an object, or is a shifted hit


def hits(found: Boxes, objects: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which objects are found and which boxes find one: G bool, N bool; the best box first."""
    taken, useful = np.zeros(len(objects), bool), np.zeros(len(found), bool)
    for i in range(len(found)):
        if not len(objects):
            break
        overlap = overlaps(objects, found.xyxy[i])
        overlap[taken | (labels != found.labels[i])] = 0
        best = int(overlap.argmax())
        if overlap[best] >= HIT:
            taken[best] = useful[i] = True
    return taken, useful


def box_losses(
    objects: np.ndarray, labels: np.ndarray, crowd: np.ndarray, before: Boxes, after: Boxes
) -> tuple[float, dict[str, float], list[int]]:
    """Loss, kinds and true classes.

    Args:
        objects: G x 4 true boxes, pixels of the original image.
        labels: G class indices, as the boxes' own.
        crowd: G bool; crowds are neither found nor missed, nor is what lies in them false.
        before: boxes after the earlier stage.
        after: boxes after the later one.
    """
    before, after = before.above(SHOWN_SCORE), after.above(SHOWN_SCORE)
    solid, solid_labels = objects[~crowd], labels[~crowd]
    had, useful_before = hits(before, solid, solid_labels)
    has, useful_after = hits(after, solid, solid_labels)
    kinds: Counter[str] = Counter()
    broken = np.flatnonzero(had & ~has)
    for g in broken:
        overlap = overlaps(after.xyxy, solid[g]) if len(after) else np.zeros(0)
        same = after.labels == solid_labels[g]
        if (overlap[~same] >= HIT).any():
            kinds["wrong class"] += 1
        elif (overlap[same] >= NEAR).any():
            kinds["shifted box"] += 1
        else:
            kinds["lost box"] += 1
    alarms = [
        int((~useful & ~inside_crowd(found, objects[crowd])).sum())
        for found, useful in ((before, useful_before), (after, useful_after))
    ]
    if alarms[1] > alarms[0]:
        kinds["false alarm"] = alarms[1] - alarms[0]
    loss = min(1.0, (len(broken) + 0.5 * kinds["false alarm"]) / max(1, int(had.sum())))
    lost = {kind: float(count) for kind, count in kinds.items() if count}
    return loss, lost, sorted({int(c) for c in solid_labels[broken]})


def inside_crowd(found: Boxes, crowds: np.ndarray) -> np.ndarray:
    """Boxes whose middle lies in a crowd's region: N bool."""
    middle = (found.xyxy[:, None, :2] + found.xyxy[:, None, 2:]) / 2
    within = (middle > crowds[None, :, :2]) & (middle < crowds[None, :, 2:])
    return np.asarray(within.all(2).any(1))
