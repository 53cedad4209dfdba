"""Thresholds that tell images of the classes from others."""

from __future__ import annotations

import numpy as np
import pytest

from mtl_core.analysis.none_of_these import auroc, rejected, separations, threshold


def test_the_area_is_the_share_of_pairs_in_order():
    random = np.random.default_rng(0)
    known, others = random.integers(3, 9, 40).astype(float), random.integers(0, 6, 30).astype(float)
    pairs = known[:, None] - others[None]
    assert auroc(known, others) == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())


def test_the_threshold_leaves_the_share_below_it():
    known = np.random.default_rng(2).permutation(np.arange(40) / 40)
    for share, below in ((0.0, 0), (0.05, 2), (0.5, 20)):
        assert (known < threshold(known, share)).sum() == below


def test_the_better_score_comes_first_and_does_what_it_says():
    random = np.random.default_rng(1)

    def logits(n: int, size: float) -> np.ndarray:
        # Both kinds are equally sure of their first class; only the size of the logits differs.
        return random.normal(size, 1, (n, 1)) + random.normal(4, 1, (n, 1)) * np.array([1, 0, 0, 0])

    known, others = logits(80, 6), logits(60, 0)
    scores = separations(known, others, 0.05)
    assert list(scores) == ["energy", "max_softmax"]
    energy = scores["energy"]
    assert energy.auroc > 0.99 and scores["max_softmax"].auroc < 0.6
    assert rejected(others, energy.acceptance) == energy.rejected > 0.95
    assert rejected(known, energy.acceptance) == energy.false_alarms == 0.05
