"""How sure a drop or a difference is, given the images it was measured on.

The paired bootstrap of B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapters
8 and 13: images are drawn with replacement, the same ones for both networks, and the 2.5th and
97.5th percentiles of the quantity over the draws are its interval.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from mtl_core.metrics.accuracy_matrix import ALLOWED_DROP
from mtl_core.metrics.base import Meter

RESAMPLES = 1000
COVERAGE = (2.5, 97.5)  # percentiles


def resamples(n: int, draws: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """How often each of n images stands in each of R draws with replacement: R x n int64."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(n, np.full(n, 1 / n), size=draws)


@dataclass(frozen=True)
class Interval:
    """A quantity and the range that holds it in 95 % of the draws; ends NaN where undefined."""

    value: float
    low: float
    high: float

    @staticmethod
    def of(value: float, draws: np.ndarray) -> Interval:
        """From its value on all images and its values over the draws, NaN where undefined.

        Where more draws than the interval leaves out are undefined, so are its ends.
        """
        seen = draws[np.isfinite(draws)]
        if len(seen) < len(draws) * (1 - COVERAGE[0] / 100):
            return Interval(value, math.nan, math.nan)
        low, high = np.percentile(seen, COVERAGE)
        return Interval(value, float(low), float(high))


def relative_drop(base: np.ndarray, final: np.ndarray) -> np.ndarray:
    """(base - final) / base of scores of any shape; NaN where the base is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(base > 0, (base - final) / base, np.nan)


class Sampled(NamedTuple):
    """A score on all images, and on each of R draws of them (R)."""

    value: float
    draws: np.ndarray

    @staticmethod
    def of(meter: Meter, metric: str, counts: np.ndarray) -> Sampled:
        """Of one metric; counts as ``resamples`` gives them."""
        return Sampled(meter.score().values[metric], meter.resampled(counts)[metric])


def drop_interval(base: Sampled, final: Sampled) -> Interval:
    """The relative drop of a metric, both drawn from the same images in the same draws."""
    value = relative_drop(np.array(base.value), np.array(final.value))
    return Interval.of(float(value), relative_drop(base.draws, final.draws))


@dataclass(frozen=True)
class StageScore:
    """A task's score after one stage, and its drop since its own; None there."""

    stage: int
    score: Interval
    drop: Interval | None


@dataclass(frozen=True)
class Verdict:
    """Whether a task was kept.

    Attributes:
        task: its id.
        metric: what the drop is measured in.
        base: the score right after its own stage.
        final: the score after the last stage.
        drop: relative, with its interval; None for a task that no later stage could harm.
        floor_metric: what the floor is measured in.
        floor: the least final score that counts as having learned the task at all.
        reached: the final score in ``floor_metric``.
        verdict: pass, fail, or undecided where the interval holds the allowed drop.
        n: images measured.
        stages: the score after each stage from the task's own on.
        ece: expected calibration error of the final answers' probabilities, 0 to 1; None for a
            task that states none.
    """

    task: str
    metric: str
    base: float
    final: float
    drop: Interval | None
    floor_metric: str
    floor: float
    reached: float
    verdict: Literal["pass", "fail", "undecided"]
    n: int
    stages: list[StageScore]
    ece: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; what is not finite becomes None."""
        content: dict[str, Any] = finite(asdict(self))
        return content


def finite(value: Any) -> Any:
    """Plain values with None for every number that JSON has no word for."""
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def gate(
    drop: Interval | None, reached: float, floor: float
) -> Literal["pass", "fail", "undecided"]:
    """At most 5 % lost and the floor reached, so that a task never learned cannot pass.

    A drop is decided where its whole interval lies on one side of 5 %.
    """
    if reached < floor or (drop is not None and drop.low > ALLOWED_DROP):
        return "fail"
    if drop is None or drop.high <= ALLOWED_DROP:
        return "pass"
    return "undecided"
