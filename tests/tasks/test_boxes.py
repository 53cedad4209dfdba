"""Boxes as distances from cells, and back."""

from __future__ import annotations

import torch
from box_encoding import encode_boxes
from hypothesis import given
from hypothesis import strategies as st

from mtl_core.tasks.box_coding import STRIDE_PX, cell_centres, decode_boxes


@given(
    cell=st.integers(0, 15),
    distances=st.tuples(*[st.floats(0.2, 1000)] * 4),  # px; the smallest is above encode's floor
)
def test_encoding_is_undone_by_decoding(cell: int, distances: tuple[float, ...]):
    centre = cell_centres(4, 4)[cell : cell + 1]
    left, top, right, bottom = distances
    x, y = centre[0].tolist()
    box = torch.tensor([[x - left, y - top, x + right, y + bottom]])
    found = decode_boxes(encode_boxes(box, centre), centre)
    torch.testing.assert_close(found, box, atol=1e-2, rtol=1e-4)


def test_cells_run_row_by_row_through_their_middles():
    expected = [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12]]
    assert STRIDE_PX == 8
    assert cell_centres(2, 3).tolist() == expected


def test_huge_distances_stay_finite():
    assert decode_boxes(torch.full((1, 4), 1e4), torch.zeros(1, 2)).isfinite().all()
