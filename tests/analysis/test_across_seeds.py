"""Intervals over seeds and images: as wide as what they are drawn from, and paired."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mtl_core.analysis.across_seeds import (
    Drawn,
    Runs,
    drops,
    final_difference,
    keeps_more,
    mean_drop,
    over_seeds,
    share_of_alone,
)
from mtl_core.metrics.bootstrap import resamples

N, R = 400, 2000
COUNTS = np.concatenate([np.ones((1, N), np.int64), resamples(N, R)])


def scores(right: np.ndarray) -> np.ndarray:
    """1 + R shares of N images that are right."""
    return COUNTS @ right / COUNTS.sum(1)


def method(kept: list[float], task: str = "a", last: str = "b") -> Runs:
    """Runs that had nearly all images right after their stage, and keep such a share of them."""
    runs: Runs = {}
    for seed, share in enumerate(kept):
        rng = np.random.default_rng(seed)
        base = rng.random(N) < 0.9
        final = base & (rng.random(N) < share)
        fresh = scores(rng.random(N) < 0.8)
        runs[seed] = {
            task: Drawn(scores(base), scores(final), True),
            last: Drawn(fresh, fresh, False),
        }
    return runs


def test_one_seed_leaves_the_images_alone():
    drawn = np.random.default_rng(0).normal(0.3, 0.1, (1, 1 + R))
    found = over_seeds(drawn)
    assert found.value == drawn[0, 0]
    assert (found.low, found.high) == tuple(np.percentile(drawn[0, 1:], (2.5, 97.5)))


def test_seeds_that_differ_widen_the_interval_and_equal_ones_do_not():
    alike, apart = (
        over_seeds(np.full((5, 1 + R), 1.0) * np.array(v)[:, None])
        for v in ([[0.3] * 5, [0.1, 0.2, 0.3, 0.4, 0.5]])
    )
    assert (alike.low, alike.high) == (pytest.approx(0.3), pytest.approx(0.3))
    assert apart.value == pytest.approx(0.3)
    # The standard error of a mean of five seeds is 0.158 / sqrt(5) = 0.071.
    assert apart.high - apart.low == pytest.approx(2 * 1.96 * 0.0707, rel=0.1)


def test_images_count_once_however_many_seeds_saw_them():
    one = method([0.6])
    twins = {seed: one[0] for seed in range(4)}
    single, fourfold = drops(one)["a"], drops(twins)["a"]
    assert (fourfold.low, fourfold.high) == (pytest.approx(single.low), pytest.approx(single.high))


def test_pairing_decides_what_each_alone_would_not():
    noise = [0.9, 0.5, 0.7]  # seeds differ far more than methods do
    better, worse = method(noise), method([share - 0.05 for share in noise])
    apart = drops(better)["a"].high > drops(worse)["a"].low
    kept = keeps_more("better", "worse", {"better": better, "worse": worse})
    assert apart and kept is not None and kept.seeds == 3
    assert 0 < kept.mean.low < kept.mean.value < kept.mean.high < 0.1
    assert kept.mean == kept.tasks["a"]
    gap = final_difference("better", "worse", "a", {"better": better, "worse": worse})
    assert gap.high < 0


def test_what_cannot_be_compared_is_not():
    one, other = method([0.6]), {7: method([0.6])[0]}
    last = {0: {"b": one[0]["b"]}}
    assert keeps_more("one", "other", {"one": one, "other": other}) is None
    assert keeps_more("one", "last", {"one": one, "last": last}) is None
    assert mean_drop(last) is None and drops(last) == {}
    assert share_of_alone(one, {}, "a") is None


def test_a_base_of_zero_has_no_drop_and_no_mean():
    nothing = np.zeros(1 + R)
    runs = {0: {"a": Drawn(nothing, nothing, True)}}
    found = mean_drop(runs)
    assert found is not None and math.isnan(found.value) and math.isnan(found.low)


def test_a_share_of_what_a_task_reaches_alone():
    runs = method([0.5, 0.5])
    alone = {seed: runs[seed]["a"].base for seed in runs}
    found = share_of_alone(runs, alone, "a")
    assert found is not None and found.value == pytest.approx(1 - drops(runs)["a"].value)
