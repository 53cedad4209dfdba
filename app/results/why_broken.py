"""Why an image is worse after a later stage: what took over, and how sure. Pure functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.language import Words
from app.results.changes import MATCH_IOU, STEADY_IOU, compare_masks
from app.results.percentages import percent
from mtl_core.decoding.boxes import SHOWN_SCORE, overlaps
from mtl_core.types import Boxes, Prediction

_MOST = 2  # clauses


def why(before: Prediction, after: Prediction, row: dict[str, Any], words: Words) -> str:
    """What stood there after the earlier stage and what stands there now, in a line.

    Masks are kept without their probabilities, so of them shares are told, of boxes scores.

    Args:
        before: the earlier stage's stored answer of the task.
        after: the later one's.
        row: as ``Run.regressions`` gives it.
        words: the visitor's language.
    """
    if before.boxes is not None and after.boxes is not None:
        said = _boxes(before.boxes, after.boxes, before.names("boxes"), row, words)
    elif before.mask is not None and after.mask is not None:
        names = before.names("label_map")
        moved = compare_masks(before.mask, after.mask, names, names)
        said = [
            words(
                "why.pixels",
                before=words.class_name(change.before),
                after=words.class_name(change.after),
                share=percent(change.share),
            )
            for change in moved
            if change.before in row["classes"]
        ]
    else:
        said = []
    return "; ".join(said[:_MOST])


def _boxes(
    before: Boxes, after: Boxes, names: list[str], row: dict[str, Any], words: Words
) -> list[str]:
    named = [words.class_name(name) for name in names]
    found: list[tuple[float, str]] = []
    shown = before.above(SHOWN_SCORE)
    overlap = overlaps(shown.xyxy[:, None], after.xyxy)
    for i, label in enumerate(shown.labels.tolist()):
        if names[label] not in row["classes"]:
            continue
        there = np.flatnonzero(overlap[i] >= MATCH_IOU)
        told = {"name": named[label], "before": f"{shown.scores[i]:.2f}"}
        if not len(there):
            found.append((float(shown.scores[i]), words("why.gone", **told)))
            continue
        best = there[np.argmax(after.scores[there])]
        score, other = float(after.scores[best]), int(after.labels[best])
        told |= {"after": f"{score:.2f}", "other": named[other], "iou": f"{overlap[i, best]:.2f}"}
        if score < SHOWN_SCORE:
            key = "why.unsure"
        elif other != label:
            key = "why.renamed"
        elif overlap[i, best] < STEADY_IOU:
            key = "why.shifted"
        else:
            continue
        found.append((float(shown.scores[i]), words(key, **told)))
    if "false alarm" in row["kinds"]:
        late = after.above(SHOWN_SCORE)
        new = (overlaps(late.xyxy[:, None], shown.xyxy) < MATCH_IOU).all(axis=1)
        for i in np.flatnonzero(new).tolist():
            told = {"name": named[int(late.labels[i])], "after": f"{late.scores[i]:.2f}"}
            found.append((float(late.scores[i]), words("why.new", **told)))
    return [said for _, said in sorted(found, key=lambda pair: -pair[0])]
