"""What was right and is wrong now, by kind."""

from __future__ import annotations

import numpy as np
import pytest

from mtl_core.metrics.box_regressions import box_losses
from mtl_core.metrics.mask_regressions import mask_losses
from mtl_core.tasks import TASKS
from mtl_core.types import Boxes
from tests.answers import prediction

CAT = np.array([[10, 10, 50, 50]], np.float32)
NO_CROWD = np.zeros(1, bool)


def found(*rows: tuple[list[float], float, int]) -> Boxes:
    xyxy = np.array([r[0] for r in rows], np.float32).reshape(-1, 4)
    return Boxes(
        xyxy, np.array([r[1] for r in rows], np.float32), np.array([r[2] for r in rows], int)
    )


HIT = found(([11, 10, 50, 50], 0.9, 0))


@pytest.mark.parametrize(
    ("after", "kinds"),
    [
        (HIT, {}),
        (found(), {"lost box": 1}),
        (found(([11, 10, 50, 50], 0.1, 0)), {"lost box": 1}),  # too faint to be shown
        (found(([11, 10, 50, 50], 0.9, 1)), {"wrong class": 1, "false alarm": 1}),
        (found(([30, 10, 70, 50], 0.9, 0)), {"shifted box": 1, "false alarm": 1}),
        (found(([11, 10, 50, 50], 0.9, 0), ([60, 60, 90, 90], 0.5, 1)), {"false alarm": 1}),
    ],
)
def test_boxes(after: Boxes, kinds: dict):
    loss, told, classes = box_losses(CAT, np.array([0]), NO_CROWD, HIT, after)
    assert told == kinds
    assert classes == ([0] if set(kinds) - {"false alarm"} else [])
    assert (loss > 0) == bool(kinds) and loss <= 1


def test_what_was_never_found_cannot_be_lost_and_crowds_do_not_count():
    assert box_losses(CAT, np.array([0]), NO_CROWD, found(), found())[1] == {}
    crowd = np.ones(1, bool)
    assert box_losses(CAT, np.array([0]), crowd, found(), HIT)[1] == {}


def test_masks():
    truth = np.zeros((20, 20), np.uint8)
    truth[:10] = 3
    truth[0] = 255
    after = truth.copy()
    after[1:3] = 0  # eaten
    after[3:4] = 5  # another class
    after[12:14] = 3  # flooded
    after[0] = 7  # void: nobody's pixel
    before = np.where(truth == 255, 0, truth).astype(np.uint8)
    loss, kinds, classes = mask_losses(truth, before, after)
    assert kinds == pytest.approx(
        {"mask eaten": 40 / 380, "wrong class": 20 / 380, "mask flooded": 40 / 380}, abs=1e-4
    )
    assert loss == pytest.approx(100 / 380) and classes == [0, 3]
    assert mask_losses(truth, before, before) == (0, {}, [])
    # What was wrong before was not broken.
    assert mask_losses(truth, np.zeros_like(truth), np.zeros_like(truth))[0] == 0


def test_a_class_is_lost_once():
    names = {"cls": ["a", "b"]}
    right, wrong = (
        prediction((1, 1), names, probabilities=np.array(p, np.float32))
        for p in ([0.9, 0.1], [0.2, 0.8])
    )
    order = np.array([0, 1])
    assert TASKS["cls"].losses(0, order, right, wrong) == (1.0, {"wrong class": 1.0}, [0])
    assert TASKS["cls"].losses(0, order, wrong, right) == (0.0, {}, [])
    assert TASKS["cls"].losses(1, order, right, wrong) == (0.0, {}, [])
