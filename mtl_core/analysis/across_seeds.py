"""Methods judged by all their runs: seeds and images are drawn anew, both at once.

A bootstrap in two levels. Every draw takes as many seeds as there are, with replacement, and one
sample of the images for all of them: seeds were measured on the same images, so images drawn apart
for each would seem to be more than they are (A. Owen, "The pigeonhole bootstrap", Annals of Applied
Statistics 2007). Two methods are compared seed by seed on the same images. A mean of few drawn
seeds scatters too little, by (S - 1) / S in its variance, which is made up for; still, three seeds
say little of the next one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from mtl_core.analysis.verdicts import scored_stages, stored_meter, truths_of
from mtl_core.data.splits import Split
from mtl_core.metrics.bootstrap import RESAMPLES, Interval, relative_drop, resamples
from mtl_core.runs.run_directory import RunRecords
from mtl_core.tasks import TASKS


@dataclass(frozen=True)
class Drawn:
    """One run's scores of one task: 1 + R values, first on all images, then on R samples of them.

    Attributes:
        base: right after the task's own stage.
        final: after the last stage; the same where nothing came later.
        followed: whether a later stage came.
    """

    base: np.ndarray
    final: np.ndarray
    followed: bool

    @property
    def drop(self) -> np.ndarray:
        """Relative to the base; NaN where that is zero."""
        return relative_drop(self.base, self.final)


Runs = dict[int, dict[str, Drawn]]  # of one method: seed -> task -> its scores


@dataclass(frozen=True)
class Kept:
    """How much more of the earlier tasks one method keeps than another, as shares of their bases.

    Attributes:
        one: label of a method.
        other: label of another.
        seeds: number of seeds that both have.
        tasks: per earlier task the other's drop minus the one's; above zero the one keeps more.
        mean: of these differences.
    """

    one: str
    other: str
    seeds: int
    tasks: dict[str, Interval]
    mean: Interval


def over_seeds(values: np.ndarray) -> Interval:
    """The mean over seeds with its interval over seeds and images.

    Args:
        values: S x (1 + R), as Drawn holds them; with one seed only images are drawn.
    """
    seeds, draws = values.shape
    drawn = resamples(seeds, draws - 1, seed=1).T / seeds  # S x R
    weights = np.concatenate([np.full((seeds, 1), 1 / seeds), drawn], 1)
    mean = values.mean(0)
    widened = math.sqrt(seeds / (seeds - 1)) if seeds > 1 else 0.0
    found = mean + widened * ((weights * values).sum(0) - mean)
    return Interval.of(float(mean[0]), found[1:])


def drawn_scores(
    runs: Iterable[tuple[str, int, RunRecords]],
    splits: Mapping[str, Split],
    draws: int = RESAMPLES,
) -> dict[str, Runs]:
    """What all comparisons are made of: label of a method -> seed -> task -> its scores.

    Args:
        runs: label, seed and files of every run.
        splits: per task the images that all of them were evaluated on.
        draws: samples of the images, the same for all runs; each task's are its own.

    Raises:
        InputError: predictions are missing, or belong to other images.
    """
    counts = {}
    for number, (task, split) in enumerate(splits.items()):
        whole = np.ones((1, len(split.items)), np.int64)
        counts[task] = np.concatenate([whole, resamples(len(split.items), draws, seed=number)])
    truths = {task: truths_of(split) for task, split in splits.items()}
    found: dict[str, Runs] = {}
    for label, seed, run in runs:
        scored = scored_stages(run)
        for task in [task for task in splits if task in scored]:
            metric = TASKS.infos[task].metrics[0]
            scores = [
                stored_meter(run, stage, splits[task], truths[task]).resampled(counts[task])[metric]
                for stage in sorted({scored[task][0], scored[task][-1]})
            ]
            drawn = Drawn(scores[0], scores[-1], len(scores) > 1)
            found.setdefault(label, {}).setdefault(seed, {})[task] = drawn
    return found


def drops(runs: Runs) -> dict[str, Interval]:
    """Per task that a later stage followed its drop, over all seeds of a method."""
    tasks = dict.fromkeys(t for scores in runs.values() for t, d in scores.items() if d.followed)
    return {task: over_seeds(np.stack([s[task].drop for s in runs.values()])) for task in tasks}


def mean_drop(runs: Runs) -> Interval | None:
    """The mean of the earlier tasks' drops over all seeds; None where no stage followed."""
    means = [_mean_drop(scores) for scores in runs.values()]
    found = [mean for mean in means if mean is not None]
    return over_seeds(np.stack(found)) if found else None


def keeps_more(one: str, other: str, methods: Mapping[str, Runs]) -> Kept | None:
    """Two methods compared on their common seeds; None without any, or where nothing followed."""
    seeds = sorted(set(methods[one]) & set(methods[other]))
    pairs = [(methods[one][seed], methods[other][seed]) for seed in seeds]
    if not pairs or any(_mean_drop(scores) is None for pair in pairs for scores in pair):
        return None
    tasks = [t for t, drawn in pairs[0][0].items() if drawn.followed and t in pairs[0][1]]
    gaps = {t: np.stack([b[t].drop - a[t].drop for a, b in pairs]) for t in tasks}
    mean = over_seeds(np.mean(list(gaps.values()), axis=0))
    return Kept(one, other, len(seeds), {t: over_seeds(gap) for t, gap in gaps.items()}, mean)


def final_difference(one: str, other: str, task: str, methods: Mapping[str, Runs]) -> Interval:
    """The other's final score minus the one's, over their common seeds; there must be one."""
    seeds = sorted(set(methods[one]) & set(methods[other]))
    gaps = [methods[other][seed][task].final - methods[one][seed][task].final for seed in seeds]
    return over_seeds(np.stack(gaps))


def share_of_alone(runs: Runs, alone: Mapping[int, np.ndarray], task: str) -> Interval | None:
    """A task's final score as a share of what it reaches alone; None without a common seed.

    Args:
        runs: of one method.
        alone: per seed the 1 + R scores of the task trained alone.
        task: its id.
    """
    seeds = sorted(set(runs) & set(alone))
    if not seeds:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.stack([runs[seed][task].final / alone[seed] for seed in seeds])
    return over_seeds(np.where(np.isfinite(ratios), ratios, np.nan))


def _mean_drop(scores: Mapping[str, Drawn]) -> np.ndarray | None:
    found = [drawn.drop for drawn in scores.values() if drawn.followed]
    return np.mean(found, axis=0) if found else None
