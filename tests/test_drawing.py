"""Quick drawing shows what exact drawing would."""

from __future__ import annotations

import numpy as np
from PIL import Image

from mtl_core.overlay import outline, tint
from mtl_core.types import Boxes


def test_a_tint_is_a_blend_within_one_level():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    mask = rng.integers(0, 4, (40, 50)).astype(np.uint8)
    mask[0, 0] = 255
    colours = [None, (255, 0, 0), (10, 200, 30), None]
    canvas = Image.fromarray(image)
    tint(canvas, mask, colours, 0.6)
    found = np.asarray(canvas)
    for index, colour in enumerate([*colours, None]):
        at = mask == (255 if index == 4 else index)
        wanted = image[at] if colour is None else 0.4 * image[at] + 0.6 * np.array(colour)
        assert np.abs(found[at] - wanted).max() <= (0 if colour is None else 1.01)


def test_a_mask_without_colours_leaves_the_image():
    image = Image.new("RGB", (5, 4), (7, 8, 9))
    tint(image, np.zeros((4, 5), np.uint8), [None, (1, 2, 3)], 0.5)
    assert image.getcolors() == [(20, (7, 8, 9))]


def test_boxes_are_drawn_in_their_colour():
    image = Image.new("RGB", (60, 40))
    boxes = Boxes(np.array([[5, 5, 50, 30]], np.float32), np.array([0.9]), np.array([1]))
    outline(image, boxes, [(255, 0, 0), (0, 255, 0)], ["a", "b"])
    found = np.asarray(image)
    assert (found[5, 5:50, 1] == 255).all() and not found[..., 0].any()
    outline(blank := Image.new("RGB", (60, 40)), Boxes.empty(), [], [])
    assert not np.asarray(blank).any()
