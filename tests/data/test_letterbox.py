"""From an image to the network's input and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core.config import ModelConfig
from mtl_core.data.letterbox import Placement
from mtl_core.data.tensor_input import PAD_VALUE, normalise, to_input
from mtl_core.decoding.masks import mask_of
from mtl_core.types import InputError

SMALL = ModelConfig(input_px=128)
sides = st.integers(1, 900)


@given(h=sides, w=sides)
def test_inputs_are_multiples_of_32_just_large_enough(h: int, w: int):
    box = Placement.of((h, w), SMALL)
    for content, padded in zip(box.content_hw, box.input_hw, strict=True):
        assert padded % 32 == 0 and 0 <= padded - content < 32
    assert max(box.content_hw) <= 128
    assert max(box.content_hw) <= np.ceil(max(h, w) * SMALL.max_enlarge)


@given(h=st.integers(20, 900), w=st.integers(20, 900), data=st.data())
def test_boxes_come_back_within_half_a_pixel(h: int, w: int, data: st.DataObject):
    x0, y0 = (data.draw(st.floats(0, side - 1)) for side in (w, h))
    x1, y1 = data.draw(st.floats(x0, w)), data.draw(st.floats(y0, h))
    box = Placement.of((h, w), SMALL)
    per_x, per_y = box.content_hw[1] / w, box.content_hw[0] / h
    inside = np.array([[x0 * per_x, y0 * per_y, x1 * per_x, y1 * per_y]], np.float32)
    found = box.boxes_to_original(inside)
    assert found.dtype == np.float32
    assert np.abs(found - [[x0, y0, x1, y1]]).max() < 0.5


def test_boxes_are_clipped_to_the_image():
    found = Placement.of((60, 100), SMALL).boxes_to_original(np.array([[-9, -9, 999, 999.0]]))
    assert found.tolist() == [[0, 0, 100, 60]]


@settings(deadline=None, max_examples=30)
@given(h=st.integers(1, 200), w=st.integers(1, 200), stride=st.sampled_from([4, 8]))
def test_masks_have_exactly_the_images_size(h: int, w: int, stride: int):
    box = Placement.of((h, w), SMALL)
    mask = mask_of(torch.randn(3, *(side // stride for side in box.input_hw)).numpy(), box)
    assert mask.shape == (h, w) and mask.dtype == np.uint8


def test_a_mask_lies_where_its_logits_lie():
    # 60 x 100 enlarged to 77 x 128: the left half is class 1, the padding below is class 2.
    box = Placement.of((60, 100), SMALL)
    logits = torch.zeros(3, box.input_hw[0] // 4, box.input_hw[1] // 4)
    logits[1, :, :16] = 1.0
    logits[2, 20:, :] = 9.0
    mask = mask_of(logits.numpy(), box)
    assert (mask[:56, :48] == 1).all() and (mask[:56, 52:] == 0).all()


def test_the_image_keeps_its_place_and_the_rest_is_grey():
    image = np.full((64, 100, 3), 255, np.uint8)
    pixels, box = to_input(image, SMALL)
    h, w = box.content_hw
    assert pixels.shape == (1, 3, *box.input_hw) and h < box.input_hw[0]
    assert (pixels[..., :h, :w] == 1).all()
    assert (pixels[..., h:, :].abs() < 0.01).all()


@pytest.mark.parametrize(
    ("mean", "std", "expected"),
    [
        ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), [1.0, -1.0, PAD_VALUE / 127.5 - 1]),
        ((0.0, 0.5, 0.25), (1.0, 0.25, 0.25), [1.0, -2.0, (PAD_VALUE / 255 - 0.25) * 4]),
    ],
)
def test_channels_are_normalised_by_their_own_statistics(mean, std, expected: list):
    pixels = torch.tensor([255, 0, PAD_VALUE], dtype=torch.uint8).view(3, 1, 1)
    found = normalise(pixels, ModelConfig(mean=mean, std=std)).flatten()
    torch.testing.assert_close(found, torch.tensor(expected))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),  # grey
        np.zeros((8, 8, 4), np.uint8),  # with alpha
        np.zeros((8, 8, 3), np.float32),  # no bytes
        np.zeros((0, 8, 3), np.uint8),  # no pixel
        np.zeros((0, 0, 3), np.uint8),
    ],
)
def test_what_is_no_rgb_image_is_refused(image: np.ndarray):
    with pytest.raises(InputError, match="expected uint8 H x W x 3"):
        to_input(image, SMALL)
