import numpy as np
import pytest
from PIL import Image, ImageDraw
from stand_in import CAT, DOG, NAMES, StandInEngine, mask

from app.palette import RAMP, rgb, rgb_of
from app.results.overlay import outline, overlay, tint
from app.results.tags import Tag, draw_tags
from mtl_core.types import Boxes, Prediction, ScalarMap
from tests.answers import prediction


@pytest.fixture
def said(tmp_path, image):
    from pathlib import Path

    return StandInEngine(Path("keeps/stage3.safetensors")).predict(image)


def test_tint_at_full_opacity_is_the_class_colour_and_background_stays(image):
    drawn = mask(*image.shape[:2], decay=1)
    tinted = tint(image, drawn, NAMES["seg"], opacity=1.0)
    assert (tinted[drawn == DOG] == rgb_of("dog")).all()
    np.testing.assert_array_equal(tinted[drawn == 0], image[drawn == 0])


def test_tint_at_zero_opacity_changes_nothing(image):
    drawn = mask(*image.shape[:2], decay=3)
    assert (drawn == CAT).any()
    np.testing.assert_array_equal(tint(image, drawn, NAMES["seg"], opacity=0.0), image)


def test_an_index_without_a_name_is_not_drawn(image):
    void = np.full(image.shape[:2], 255, np.uint8)
    np.testing.assert_array_equal(tint(image, void, NAMES["seg"], opacity=1.0), image)


def test_the_input_is_left_alone(image, said):
    before = image.copy()
    drawn = overlay(image, said)
    np.testing.assert_array_equal(image, before)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert not np.shares_memory(overlay(image, said.only(())), image)


def test_boxes_below_the_threshold_are_not_drawn(image, said):
    np.testing.assert_array_equal(outline(image, said.boxes.above(0.95), NAMES["det"]), image)
    assert (outline(image, said.boxes.above(0.5), NAMES["det"]) != image).any()


def test_a_box_edge_has_its_class_colour(image):
    box = Boxes(
        np.array([[30, 40, 90, 80]], np.float32), np.array([0.9], np.float32), np.array([2])
    )
    drawn = outline(image, box, NAMES["det"])
    assert tuple(drawn[79, 60]) == rgb_of("cat")
    assert tuple(drawn[60, 30]) == rgb_of("cat")


@pytest.mark.parametrize(
    "box",
    [
        [10, 10, 10, 10],  # no area
        [50, 40, 40, 30],  # corners the wrong way round
        [-30, -30, 500, 500],  # beyond the image
    ],
)
def test_odd_boxes_are_drawn_without_complaint(image, box):
    boxes = Boxes(np.array([box], np.float32), np.array([0.9], np.float32), np.array([0]))
    assert outline(image, boxes, NAMES["det"]).shape == image.shape


def test_nothing_trained_draws_nothing(image):
    np.testing.assert_array_equal(overlay(image, prediction((90, 120), NAMES)), image)


def test_a_map_of_numbers_runs_from_the_lowest_to_the_highest_colour(image):
    values = np.full(image.shape[:2], 2.0, np.float32)
    values[0, 0], values[0, 1], values[0, 2] = 1.0, 5.0, np.nan
    depth = Prediction(image.shape[:2], {}, {"depth": ScalarMap(values)})
    drawn = overlay(image, depth, opacity=1.0)
    assert tuple(drawn[0, 0]) == rgb(RAMP[0]) and tuple(drawn[0, 1]) == rgb(RAMP[-1])
    assert (drawn[0, 2] == image[0, 2]).all()


def test_tags_of_weak_boxes_do_not_cover_each_other():
    paper = np.full((300, 400, 3), 255, np.uint8)
    rows = [[60 + 4 * i, 80 + 5 * i, 260 + 4 * i, 220 + 5 * i] for i in range(5)]
    boxes = Boxes(np.array(rows, np.float32), np.linspace(0.4, 0.2, 5), np.zeros(5, np.int64))
    placed = []

    class Pen(ImageDraw.ImageDraw):
        def rectangle(self, xy, fill=None, outline=None, width=1):
            placed.append(xy)

    tags = [
        Tag(f"person {s:.2f}", "#D55E00", tuple(b)) for b, s in zip(rows, boxes.scores, strict=True)
    ]
    draw_tags(Pen(Image.fromarray(paper)), tags, (400, 300))
    assert len(placed) == 5
    for i, a in enumerate(placed):
        assert a[0] >= 0 and a[2] <= 400 and a[1] >= 0 and a[3] <= 300
        for b in placed[i + 1 :]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
