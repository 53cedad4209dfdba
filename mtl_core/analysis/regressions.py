"""What a later stage broke: every image that was right after one stage and wrong after another.

Kinds follow the errors of D. Bolya et al., "TIDE: A General Toolbox for Identifying Object
Detection Errors", ECCV 2020, section 2.2, told of what was right before.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mtl_core.data.layout import Split
from mtl_core.data.splits import VOID
from mtl_core.decoding.boxes import overlaps
from mtl_core.metrics.class_mapping import data_to_model
from mtl_core.runs.predictions import prediction_key, read_predictions
from mtl_core.runs.run_directory import Run, write_json
from mtl_core.tasks import TASKS
from mtl_core.types import Boxes, Prediction

KINDS = (
    "lost box",
    "wrong class",
    "shifted box",
    "false alarm",
    "mask eaten",
    "mask flooded",
)
SCORE = 0.25  # boxes below it are not counted, as the page does not show them at first
HIT, NEAR = 0.5, 0.1  # overlaps from which a box hits an object, or is a shifted hit
SHARE = 0.005  # of an image's pixels; less of a kind or a class is not told


@dataclass(frozen=True)
class Regression:
    """One image's losses in one task between two stages.

    Attributes:
        image: its ``prediction_key``.
        task: its id.
        before: number of the stage after which it was right.
        after: number of the stage after which it is wrong.
        loss: 0 to 1: share of pixels, of objects found, or of the one class, that was lost.
        kinds: how much of each kind: boxes and classes are counted, masks are shares of pixels.
        classes: names of the true classes that lost.
    """

    image: str
    task: str
    before: int
    after: int
    loss: float
    kinds: dict[str, float]
    classes: list[str]


def mask_losses(
    truth: np.ndarray, before: np.ndarray, after: np.ndarray
) -> tuple[float, dict[str, float], list[int]]:
    """Loss, kinds and true classes from three H x W masks of class indices, 255 void in truth."""
    valid = truth != VOID
    pixels = max(1, int(valid.sum()))
    broken = valid & (before == truth) & (after != truth)
    found = {
        "mask eaten": broken & (truth > 0) & (after == 0),
        "mask flooded": broken & (truth == 0),
        "wrong class": broken & (truth > 0) & (after > 0),
    }
    kinds = {kind: float(where.sum() / pixels) for kind, where in found.items()}
    counts = np.bincount(truth[broken], minlength=1)
    classes = [int(c) for c in np.flatnonzero(counts >= SHARE * pixels)]
    kinds = {kind: round(share, 5) for kind, share in kinds.items() if share >= SHARE}
    return float(broken.sum() / pixels), kinds, classes


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
    before, after = before.above(SCORE), after.above(SCORE)
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
    told = {kind: float(count) for kind, count in kinds.items() if count}
    return loss, told, sorted({int(c) for c in solid_labels[broken]})


def inside_crowd(found: Boxes, crowds: np.ndarray) -> np.ndarray:
    """Boxes whose middle lies in a crowd's region: N bool."""
    middle = (found.xyxy[:, None, :2] + found.xyxy[:, None, 2:]) / 2
    return ((middle > crowds[None, :, :2]) & (middle < crowds[None, :, 2:])).all(2).any(1)


def image_losses(
    task: str, truth: Any, to_model: np.ndarray, before: Prediction, after: Prediction
) -> tuple[float, dict[str, float], list[int]]:
    """Loss, kinds and true classes of one image, from what ``Task.read`` gave as its truth."""
    if task == "seg":
        assert before.mask is not None and after.mask is not None
        table = np.full(256, VOID, np.uint8)
        table[: len(to_model)] = to_model
        return mask_losses(table[truth], before.mask, after.mask)
    if task == "det":
        assert before.boxes is not None and after.boxes is not None
        labels = to_model[truth.labels]
        return box_losses(truth.boxes_xyxy_px, labels, truth.crowd, before.boxes, after.boxes)
    assert before.probabilities is not None and after.probabilities is not None
    label = int(to_model[truth])
    was, is_now = (int(p.probabilities.argmax()) == label for p in (before, after))  # type: ignore[union-attr]
    lost = was and not is_now
    return float(lost), {"wrong class": 1.0} if lost else {}, [label] if lost else []


def regressions(run: Run, splits: dict[str, Split]) -> list[Regression]:
    """All losses of a run, largest first, between every two stages that a task went through.

    Raises:
        InputError: predictions are missing or damaged.
    """
    found = []
    numbers = [stage.number for stage in run.stages]
    trained = {stage.task: stage.number for stage in run.stages}
    for task, split in splits.items():
        own = [n for n in numbers if n >= trained.get(task, numbers[-1])]
        names = run.class_names[task]
        to_model = data_to_model(names, list(split.class_names), task)
        stored = {
            n: read_predictions(run.path / "predictions", n, task, run.class_names) for n in own
        }
        pairs = [(a, b) for i, a in enumerate(own) for b in own[i + 1 :]]
        for item in split.items if pairs else []:
            truth, stem = TASKS[task].read(item, split)[1], prediction_key(item)
            for a, b in pairs:
                loss, kinds, classes = image_losses(
                    task, truth, to_model, stored[a][stem], stored[b][stem]
                )
                if kinds:
                    told = [names[c] for c in classes]
                    found.append(Regression(stem, task, a, b, round(loss, 5), kinds, told))
    return sorted(found, key=lambda r: -r.loss)


def keep_regressions(run: Run, splits: dict[str, Split]) -> None:
    """Write them into the run as ``regressions.json``, which the page shows."""
    rows = [asdict(row) for row in regressions(run, splits)]
    write_json(run.path / "regressions.json", {"score": SCORE, "rows": rows})
