"""Floors: what a predictor that never looks would have to be beaten by."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtl_core.data.splits import ClsItem, Split
from mtl_core.tasks import known
from mtl_core.tasks.data_roots import DataRoots, read_split


def floor(split: Split) -> tuple[str, float]:
    return known(split.task)(split.class_names).floor(split)


def classes(*labels: int) -> Split:
    items = [ClsItem(Path(f"{i}.jpg"), label) for i, label in enumerate(labels)]
    return Split([str(n) for n in range(max(labels) + 1)], items, "val", task="cls")


@pytest.mark.parametrize(
    ("split", "least"),
    [
        (classes(*range(10)), 0.3),  # ten balanced classes: three times 0.1
        (classes(0, 1), 0.75),  # two: three times would be more than anyone can reach
        (classes(0, 0, 0, 1), 0.875),
    ],
)
def test_classes(split: Split, least: float):
    assert floor(split) == ("top1", pytest.approx(least))


def test_masks_and_boxes(rendered: DataRoots):
    metric, least = floor(read_split(rendered, "seg", "val"))
    assert metric == "mIoU" and 0.1 < least < 1
    assert floor(read_split(rendered, "det", "val")) == ("mAP50", 0.05)
