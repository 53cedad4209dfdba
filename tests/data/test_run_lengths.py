"""Run lengths give the boxes that pycocotools gives, and an error where it would crash."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from mtl_core.data.run_lengths import box_of_runs

shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))


@given(hnp.arrays(np.uint8, shapes, elements=st.integers(0, 1)).filter(np.any))
def test_boxes_are_those_of_pycocotools(mask: np.ndarray):
    packed = coco_mask.encode(np.asfortranarray(mask))
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=0)).tolist()
    counts = np.diff([0, *edges, flat.size]).tolist()
    expected = coco_mask.toBbox(packed).tolist()
    assert box_of_runs(packed["counts"].decode(), *mask.shape) == expected
    assert box_of_runs(counts, *mask.shape) == expected


@given(st.one_of(st.text(), st.lists(st.integers(-9, 2**40))), shapes)
def test_anything_else_is_an_error(counts: object, shape: tuple[int, int]):
    with contextlib.suppress(ValueError):
        left, top, width, height = box_of_runs(counts, *shape)
        assert left + width <= shape[1] and top + height <= shape[0]


@pytest.mark.parametrize("counts", [None, 5, [True, 5], [1.5, 4.5], [6], [6, 0], "", "\x00"])
def test_counts_of_another_kind_are_an_error(counts: object):
    with pytest.raises(ValueError, match=r"run lengths|empty"):
        box_of_runs(counts, 2, 3)
