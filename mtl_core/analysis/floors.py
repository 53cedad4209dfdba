"""The least score that counts as having learned a task at all.

A detector that finds nothing loses nothing; so the gate asks for a floor beside a small drop. For
masks and classes it is three times what a predictor scores that never looks at the image; where
that would ask for more than half of what is left to learn, it is that half (0.75 for two balanced
classes, not 1.5).
"""

from __future__ import annotations

import numpy as np

from mtl_core.data.layout import Split
from mtl_core.tasks import TASKS
from mtl_core.types import Prediction

TIMES_TRIVIAL = 3.0
MAP50 = 0.05


def floor(split: Split) -> tuple[str, float]:
    """The metric and the floor of a split's task; tasks that nobody knows here have none (0)."""
    task = TASKS[split.task](split.class_names)
    if split.task == "det":
        return "mAP50", MAP50
    metric = task.metrics[0]
    if split.task not in ("seg", "cls"):
        return metric, 0.0
    meter = task.meter(split)
    names = {split.task: list(split.class_names)}
    if split.task == "cls":
        counts = np.bincount([item.label for item in split.items], minlength=len(names["cls"]))
        guess = np.zeros(len(counts), np.float32)
        guess[counts.argmax()] = 1  # always the most frequent class
    for item in split.items:
        if split.task == "seg":
            truth = task.read(item, split)[1]
            blank = np.zeros(truth.shape, np.uint8)  # background everywhere
            meter.add(Prediction(truth.shape, names, mask=blank), truth)
        else:
            meter.add(Prediction((0, 0), names, probabilities=guess), item.label)
    trivial = meter.score().values[metric]
    return metric, min(TIMES_TRIVIAL * trivial, (1 + trivial) / 2)
