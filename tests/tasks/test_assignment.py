"""Every object gets a cell, whatever the objects look like."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtl_core.tasks.assignment import Assignment, assign
from mtl_core.tasks.box_coding import cell_centres, decode_boxes

SIDE_CELLS, CLASSES = 8, 3
SIDE_PX = SIDE_CELLS * 8


def assigned(boxes: Tensor, seed: int = 0) -> Assignment:
    """What a new network of random scores would be trained."""
    generator = torch.Generator().manual_seed(seed)
    centres = cell_centres(SIDE_CELLS, SIDE_CELLS)
    distances = torch.randn(len(centres), 4, generator=generator)
    scores = torch.rand(len(centres), CLASSES, generator=generator)
    labels = torch.arange(len(boxes)) % CLASSES
    return assign(decode_boxes(distances, centres), scores, centres, boxes, labels)


@st.composite
def objects(draw: st.DrawFn) -> Tensor:
    """Up to twelve boxes from half a pixel to the whole image; some of them repeated."""
    rows = []
    for _ in range(draw(st.integers(1, 6))):
        w, h = (draw(st.floats(0.5, SIDE_PX)) for _ in range(2))
        x, y = draw(st.floats(0, SIDE_PX - w)), draw(st.floats(0, SIDE_PX - h))
        rows += [[x, y, x + w, y + h]] * draw(st.integers(1, 2))
    return torch.tensor(rows, dtype=torch.float32)


CASES = [
    ("one pixel between four cells", [[8, 8, 9, 9]]),
    ("one pixel in the corner", [[0, 0, 1, 1]]),
    ("the whole image", [[0, 0, SIDE_PX, SIDE_PX]]),
    ("identical", [[10, 10, 30, 30]] * 5),
    ("identical and of one pixel", [[20, 20, 21, 21]] * 5),
    ("one inside the other", [[0, 0, 60, 60], [28, 28, 32, 32]]),
    ("more small ones than cells near them", [[20 + i / 9, 20, 21 + i / 9, 21] for i in range(9)]),
]


def check(found: Assignment, count: int) -> None:
    assert set(found.objects.tolist()) == set(range(count))
    assert len(set(found.cells.tolist())) == len(found.cells)
    assert ((found.quality > 0) & (found.quality <= 1)).all()


@pytest.mark.parametrize("boxes", [c[1] for c in CASES], ids=[c[0] for c in CASES])
def test_every_object_gets_a_cell(boxes: list):
    check(assigned(torch.tensor(boxes, dtype=torch.float32)), len(boxes))


@settings(deadline=None)
@given(boxes=objects(), seed=st.integers(0, 99))
def test_every_object_gets_a_cell_wherever_it_lies(boxes: Tensor, seed: int):
    check(assigned(boxes, seed), len(boxes))


def test_no_objects_have_no_cells():
    found = assigned(torch.zeros(0, 4))
    assert len(found.cells) == len(found.objects) == len(found.quality) == 0
