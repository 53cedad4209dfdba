from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stand_in import NAMES, StandInEngine, mask

from app.results.api_json import answer_json
from app.results.changes import (
    compare,
    compare_boxes,
    compare_masks,
    mask_shares,
)
from app.results.percentages import percent
from app.services.engines import StageAnswer, only_trained
from app.services.viewed_image import ViewedImage
from mtl_core.types import Boxes


def boxes_of(*rows):
    """Each row: left, top, right, bottom, score, label."""
    a = np.array(rows, np.float32).reshape(-1, 6)
    return Boxes(a[:, :4], a[:, 4], a[:, 5].astype(int))


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ([], [], []),
        ([(0, 0, 10, 10, 0.9, 0)], [], ["lost"]),
        ([], [(0, 0, 10, 10, 0.9, 0)], ["found"]),
        ([(0, 0, 10, 10, 0.9, 0)], [(0, 0, 10, 10, 0.5, 0)], ["kept"]),
        ([(0, 0, 10, 10, 0.9, 0)], [(0, 0, 10, 7, 0.9, 0)], ["shifted"]),  # IoU 0.7
        ([(0, 0, 10, 10, 0.9, 0)], [(0, 0, 10, 4, 0.9, 0)], ["lost", "found"]),  # IoU 0.4
        ([(0, 0, 10, 10, 0.9, 0)], [(0, 0, 10, 10, 0.9, 1)], ["renamed"]),
        # The same class is matched first, though another overlaps more.
        (
            [(0, 0, 10, 10, 0.9, 0)],
            [(0, 0, 10, 10, 0.9, 1), (0, 0, 10, 8, 0.8, 0)],
            ["found", "kept"],
        ),
    ],
)
def test_boxes_are_matched_by_class_and_overlap(before, after, kinds):
    changes = compare_boxes(boxes_of(*before), boxes_of(*after), NAMES["det"], NAMES["det"])
    assert [change.kind for change in changes] == kinds


def test_mask_changes_count_every_changed_pixel_once():
    before, after = mask(60, 80, 1), mask(60, 80, 3)
    changes = compare_masks(before, after, NAMES["seg"], NAMES["seg"])
    assert {(c.before, c.after) for c in changes} == {("dog", "background"), ("dog", "cat")}
    assert sum(c.pixels for c in changes) == (before != after).sum()
    assert compare_masks(before, before, NAMES["seg"], NAMES["seg"]) == []


def test_classes_are_compared_by_name_not_by_index():
    mask_a, mask_b = np.full((4, 4), 1, np.uint8), np.full((4, 4), 0, np.uint8)
    assert compare_masks(mask_a, mask_b, ["background", "dog"], ["dog", "cat"]) == []


def test_a_task_that_one_side_was_never_trained_is_not_compared(image):
    first = only_trained(StandInEngine(Path("keeps/stage1.safetensors")).predict(image), ("seg",))
    last = StandInEngine(Path("keeps/stage3.safetensors")).predict(image)
    changes = compare(first, last, 0.25)
    assert changes.boxes is None
    assert changes.top_before is None
    assert changes.mask_agreement == 1


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0, "0 %"),
        (0.0001, "< 0.1 %"),
        (0.004, "0.4 %"),
        (0.123, "12 %"),
        (0.9949, "99 %"),
        (0.9968, "99.7 %"),
        (0.9999, "> 99.9 %"),
        (1, "100 %"),
        (1 + 2e-16, "100 %"),
        (sum([0.1] * 10), "100 %"),
        (1.0001, "> 100 %"),
        (1.004, "100.4 %"),
        (1.0068, "101 %"),
    ],
)
def test_percent(share, shown):
    assert percent(share) == shown


def test_mask_shares_leave_background_out():
    shares = mask_shares(mask(60, 80, 3), NAMES["seg"])
    assert list(shares) == ["cat"]
    assert 0 < shares["cat"] < 0.2


def test_an_image_of_none_of_the_classes_has_no_top_class(image):
    known = StandInEngine(Path("keeps/stage3.safetensors")).predict(image)
    cls = known.parts["cls"]
    none = replace(known, parts={**known.parts, "cls": replace(cls, known=False)})
    found = compare(known, none, 0.25)
    assert found.top_before == ("English springer", pytest.approx(0.85))
    assert found.top_after == (None, pytest.approx(0.85))
    said = answer_json(StageAnswer(3, "cls", ("cls",), none, None), ViewedImage(image))
    assert said["none_of_these"] is True and len(said["probabilities"]) == 3
