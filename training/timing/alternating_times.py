"""Times that can be compared on a machine that is never quite quiet.

The cases take turns, each once a round and in a new order, so that what slows the machine slows all
of them; a ratio's interval comes from resampling whole rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

Case = Callable[[], object]
Tick = Callable[[], None]
PAUSE_S = 0.005  # threads that still spin after the last case go to sleep
RESAMPLES = 2000


def alternate(
    cases: Mapping[str, Case], rounds: int, warmup: int, tick: Tick = lambda: None
) -> dict[str, np.ndarray]:
    """Milliseconds of every case in every round.

    Args:
        cases: what to run, without arguments.
        rounds: times that each is measured.
        warmup: times that each runs before.
        tick: called after each round, the warm-up's among them.
    """
    times = {name: np.zeros(rounds) for name in cases}
    rng = np.random.default_rng(0)
    for number in range(-warmup, rounds):
        for name in rng.permutation(list(cases)):
            time.sleep(PAUSE_S)
            start = time.perf_counter()
            cases[name]()
            elapsed_ms = (time.perf_counter() - start) * 1e3
            if number >= 0:
                times[name][number] = elapsed_ms
        tick()
    return times


@dataclass(frozen=True)
class Ratio:
    """A ratio of medians with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Rounded to three places."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def ratio(over: np.ndarray, under: np.ndarray) -> Ratio:
    """Median over median; rounds are resampled together.

    Args:
        over: R times.
        under: R times of the same rounds.
    """
    picks = np.random.default_rng(0).integers(0, len(over), (RESAMPLES, len(over)))
    ratios = np.median(over[picks], axis=1) / np.median(under[picks], axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Ratio(float(np.median(over) / np.median(under)), float(low), float(high))


def summary(times: np.ndarray) -> dict[str, float]:
    """p50 and p95 in milliseconds."""
    return {f"p{q}_ms": round(float(np.quantile(times, q / 100)), 3) for q in (50, 95)}
