"""Which images an epoch draws."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from mtl_core.config import StageConfig
from mtl_core.data.sampling import favouring_order, repeat_factors

STAGE = StageConfig("det", 1, 1e-3, batch=4, favour="a*", favour_share=0.5)


def drawn(favoured: list[bool], factors: torch.Tensor, seed: int = 0) -> list[int]:
    return favouring_order(favoured, factors, STAGE, torch.Generator().manual_seed(seed))


def test_favoured_images_fill_their_share_of_every_batch():
    favoured = [i < 5 for i in range(40)]
    order = drawn(favoured, torch.ones(40))
    assert len(order) == 40
    for start in range(0, 40, 4):
        assert sum(favoured[i] for i in order[start : start + 4]) == 2
    counts = Counter(order)
    assert {counts[i] for i in range(5)} == {4}  # each as often as the others
    assert max(counts[i] for i in range(5, 40)) == 1


@pytest.mark.parametrize("favoured", [[True] * 9, [False] * 9])
def test_a_set_of_one_group_is_shuffled(favoured: list[bool]):
    order = drawn(favoured, torch.ones(9))
    assert sorted(order) == list(range(9)) and order != drawn(favoured, torch.ones(9), seed=1)


def test_rare_classes_are_drawn_oftener():
    classes = [{0}] * 90 + [{0, 1}] * 10
    factors = repeat_factors(classes, repeat_below=0.4)
    assert factors[:90].tolist() == [1.0] * 90
    assert factors[90:].tolist() == pytest.approx([2.0] * 10)  # sqrt(0.4 / 0.1)
    counts = Counter(i for seed in range(50) for i in drawn([False] * 100, factors, seed))
    rare = sum(counts[i] for i in range(90, 100)) / 10
    usual = sum(counts[i] for i in range(90)) / 90
    assert 1.6 < rare / usual < 2.4


def test_images_without_classes_are_drawn_like_others():
    assert repeat_factors([set(), {0}], 0.5).tolist() == [1.0, 1.0]
