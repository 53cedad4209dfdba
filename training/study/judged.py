"""A study judged by all its seeds: drops with their intervals, and who keeps more than whom."""

from __future__ import annotations

import math
from dataclasses import asdict
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core.analysis.across_seeds import (
    Kept,
    drawn_scores,
    drops,
    keeps_more,
    mean_drop,
    share_of_alone,
)
from mtl_core.metrics.bootstrap import RESAMPLES, Interval, finite
from mtl_core.tasks.data_roots import data_roots, read_split
from training.study.runs import OWN_START, StudyRuns

DEFAULT = "distill"  # what the others are compared with


class JudgedStudy:
    """What all runs of a study say together; nothing left out of the recipe is judged here.

    Args:
        study: its finished runs, with their predictions.
        data: root of the sets that they were evaluated on.
        split: the split.

    Raises:
        InputError: predictions are missing, or belong to other images.
    """

    def __init__(self, study: StudyRuns, data: Path, split: str) -> None:
        runs = [(cell, run) for cell, run in study.runs() if cell.without is None]
        self.tasks = list(dict.fromkeys(task for _, run in runs for task in run.tasks))
        roots = data_roots(data)
        splits = {task: read_split(roots, task, split) for task in self.tasks}
        self.images = {task: len(found.items) for task, found in splits.items()}
        drawn = drawn_scores(((cell.label, cell.seed, run) for cell, run in runs), splits)
        singles = {cell.label: cell.task for cell, _ in runs if cell.task}
        self.methods = {label: runs for label, runs in drawn.items() if label not in singles}
        # Per task and seed the 1 + R scores of the task alone.
        self.alone: dict[str, dict[int, np.ndarray]] = {
            task: {seed: scores[task].final for seed, scores in drawn[label].items()}
            for label, task in singles.items()
        }
        shared = [
            runs for label, runs in self.methods.items() if label.split("-")[0] not in OWN_START
        ]
        if shared and self.tasks[0] not in self.alone:
            # The first stage starts from the same backbone with nothing to keep.
            first = self.tasks[0]
            self.alone[first] = {
                seed: scores[first].base for runs in shared for seed, scores in runs.items()
            }

    @property
    def default(self) -> str:
        """The label of the method that others are compared with, at its own strength if it can."""
        alike = [label for label in self.methods if label.split("-")[0] == DEFAULT]
        return DEFAULT if DEFAULT in alike or not alike else alike[0]

    @cached_property
    def drops(self) -> dict[str, dict[str, Interval]]:
        """Per method and earlier task."""
        return {label: drops(runs) for label, runs in self.methods.items()}

    @cached_property
    def mean_drops(self) -> dict[str, Interval | None]:
        """Per method, over its earlier tasks; None where all were trained at once."""
        return {label: mean_drop(runs) for label, runs in self.methods.items()}

    @cached_property
    def pairs(self) -> list[Kept]:
        """Every two methods that can be compared, the one that keeps more first."""
        found = []
        for one, other in combinations(self.methods, 2):
            kept = keeps_more(one, other, self.methods)
            if kept is not None and kept.mean.value < 0:
                kept = keeps_more(other, one, self.methods)
            found += [kept] if kept is not None else []
        return found

    def of_alone(self, label: str, task: str) -> Interval | None:
        """A method's final score of a task as a share of the task alone."""
        return share_of_alone(self.methods[label], self.alone.get(task, {}), task)

    def why_undefined(self, label: str, task: str) -> str:
        """Why a method has no drop of a task, or none with an interval; empty where it has."""
        scores = [(seed, s[task]) for seed, s in self.methods[label].items() if task in s]
        if not any(drawn.followed for _, drawn in scores):
            return "nothing came later"
        zero = [str(seed) for seed, drawn in scores if not drawn.base[0] > 0]
        if zero:
            return f"base 0 in seed {', '.join(zero)}"
        found = self.drops[label][task]
        return "base 0 in too many samples" if math.isnan(found.low) else ""

    def to_dict(self) -> dict[str, Any]:
        """What comparisons.json holds: plain JSON types, null for what is undefined."""
        seeds = {label: sorted(runs) for label, runs in self.methods.items()}
        methods = {
            label: {
                "seeds": seeds[label],
                "drops": {task: asdict(found) for task, found in self.drops[label].items()},
                "mean_drop": asdict(mean) if (mean := self.mean_drops[label]) else None,
                "of_alone": {
                    task: asdict(found)
                    for task in self.tasks
                    if (found := self.of_alone(label, task)) is not None
                },
            }
            for label in self.methods
        }
        content = {
            "draws": RESAMPLES,
            "images": self.images,
            "methods": methods,
            "keeps_more": [asdict(pair) for pair in self.pairs],
        }
        plain: dict[str, Any] = finite(content)
        return plain


def decided(found: Interval) -> bool:
    """Whether an interval lies on one side of zero."""
    return found.low > 0 or found.high < 0
