import numpy as np
import pytest
from stand_in import CAT, DOG, NAMES, StandInEngine, mask

from app.palette import rgb_of
from app.results.overlay import outline, overlay, tint
from mtl_core.types import Boxes, Prediction


@pytest.fixture
def said(tmp_path, picture):
    from pathlib import Path

    return StandInEngine(Path("keeps/stage3.safetensors")).predict(picture)


def test_tint_at_full_opacity_is_the_class_colour_and_background_stays(picture):
    drawn = mask(*picture.shape[:2], decay=1)
    tinted = tint(picture, drawn, NAMES["seg"], opacity=1.0)
    assert (tinted[drawn == DOG] == rgb_of("dog")).all()
    np.testing.assert_array_equal(tinted[drawn == 0], picture[drawn == 0])


def test_tint_at_zero_opacity_changes_nothing(picture):
    drawn = mask(*picture.shape[:2], decay=3)
    assert (drawn == CAT).any()
    np.testing.assert_array_equal(tint(picture, drawn, NAMES["seg"], opacity=0.0), picture)


def test_an_index_without_a_name_is_not_drawn(picture):
    void = np.full(picture.shape[:2], 255, np.uint8)
    np.testing.assert_array_equal(tint(picture, void, NAMES["seg"], opacity=1.0), picture)


def test_the_input_is_left_alone(picture, said):
    before = picture.copy()
    drawn = overlay(picture, said)
    np.testing.assert_array_equal(picture, before)
    assert drawn.shape == picture.shape
    assert drawn.dtype == np.uint8
    assert not np.shares_memory(overlay(picture, said, tasks=()), picture)


def test_boxes_below_the_threshold_are_not_drawn(picture, said):
    np.testing.assert_array_equal(outline(picture, said, score_threshold=0.95), picture)
    assert (outline(picture, said, score_threshold=0.5) != picture).any()


def test_a_box_edge_has_its_class_colour(picture):
    box = Boxes(
        np.array([[30, 40, 90, 80]], np.float32), np.array([0.9], np.float32), np.array([2])
    )
    drawn = outline(picture, Prediction((90, 120), NAMES, boxes=box), 0.3)
    assert tuple(drawn[79, 60]) == rgb_of("cat")
    assert tuple(drawn[60, 30]) == rgb_of("cat")


@pytest.mark.parametrize(
    "box",
    [
        [10, 10, 10, 10],  # no area
        [50, 40, 40, 30],  # corners the wrong way round
        [-30, -30, 500, 500],  # beyond the picture
    ],
)
def test_odd_boxes_are_drawn_without_complaint(picture, box):
    boxes = Boxes(np.array([box], np.float32), np.array([0.9], np.float32), np.array([0]))
    assert outline(picture, Prediction((90, 120), NAMES, boxes=boxes), 0.1).shape == picture.shape


def test_nothing_taught_draws_nothing(picture):
    np.testing.assert_array_equal(overlay(picture, Prediction((90, 120), NAMES)), picture)
