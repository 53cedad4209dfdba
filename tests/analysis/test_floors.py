"""Floors: what a predictor that never looks would have to be beaten by."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtl_core.analysis.floors import floor
from mtl_core.data.layout import DataRoots, read_split
from mtl_core.data.splits import ClsItem, Split


def classes(*labels: int) -> Split:
    items = [ClsItem(Path(f"{i}.jpg"), label) for i, label in enumerate(labels)]
    return Split("cls", [str(label) for label in range(max(labels) + 1)], items, "val")


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
