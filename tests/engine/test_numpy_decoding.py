"""Decoding without PyTorch gives what each task's own decoding gives."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
import torch
from PIL import Image

from mtl_core.config import ModelConfig
from mtl_core.data.letterbox import Letterbox, to_input
from mtl_core.data.placement import Placement
from mtl_core.engine import decode_boxes
from mtl_core.engine.decode_boxes import boxes_of, suppress
from mtl_core.engine.decode_mask import mask_of, winners
from mtl_core.engine.decoding import DECODERS, decode, softmax
from mtl_core.engine.prepare import prepare, resized
from mtl_core.tasks import TASKS, boxes, detection
from mtl_core.types import InputError

CONFIG = ModelConfig(input_px=128)
SIZES = [(90, 120), (33, 200), (200, 33), (1, 1), (128, 128), (640, 300)]


def soft_logits(box: Placement, classes: int, stride: int, noise: float) -> np.ndarray:
    generator = torch.Generator().manual_seed(0)
    h, w = (side // stride for side in box.input_hw)
    coarse = torch.randn(1, classes, max(2, h // 6), max(2, w // 6), generator=generator)
    soft = torch.nn.functional.interpolate(coarse, (h, w), mode="bicubic")[0]
    return (soft + noise * torch.randn(soft.shape, generator=generator)).numpy()


def test_constants_are_the_tasks_own():
    for name in ("SCORE_MIN", "NMS_IOU", "NMS_CANDIDATES", "MAX_BOXES"):
        assert getattr(decode_boxes, name) == getattr(detection, name)
    for name in ("STRIDE_PX", "LOG_DISTANCE_MAX"):
        assert getattr(decode_boxes, name) == getattr(boxes, name)
    assert set(DECODERS) == set(TASKS)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stride", [4, 8])
@pytest.mark.parametrize("noise", [0.05, 3.0])  # few edges; edges everywhere, many candidates
def test_masks_are_those_of_full_interpolation(size: tuple, stride: int, noise: float):
    box = Letterbox.of(size, CONFIG)
    logits = soft_logits(box, 7, stride, noise)
    wanted = box.logits_to_mask(torch.from_numpy(logits))
    found = mask_of(logits, Placement(*astuple(box)))
    assert found.shape == size and found.dtype == np.uint8
    assert (found != wanted).mean() < 1e-3


def test_the_first_of_equal_classes_wins():
    logits = np.zeros((3, 2, 2), np.float32)
    assert (winners(logits) == 0).all()
    assert (mask_of(logits, Placement((5, 5), (8, 8), (32, 32))) == 0).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("objectness", [-1.0, -4.0, -12.0])  # crowded, some, none at all
def test_boxes_are_those_of_the_task(size: tuple, objectness: float):
    box = Letterbox.of(size, CONFIG)
    raw = np.random.default_rng(1).normal(size=(4 + 1 + 5, *(s // 8 for s in box.input_hw)))
    raw = raw.astype(np.float32)
    raw[:4] += 1
    raw[4] += objectness
    wanted = detection.Detection(list("abcde")).decode(torch.from_numpy(raw), box)["boxes"]
    found = boxes_of(raw, Placement(*astuple(box)))
    assert len(found) == len(wanted) and (len(found) > 0) == (objectness > -12)
    np.testing.assert_array_equal(found.labels, wanted.labels)
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-5)
    np.testing.assert_allclose(found.xyxy, wanted.xyxy, atol=1e-3)
    assert found.xyxy.dtype == np.float32 and found.labels.dtype == np.int64


@pytest.mark.parametrize("threshold", [0.004, 0.03, 0.2, 0.97, 1.0, 1.1])
def test_a_threshold_before_suppression_is_one_after_it(threshold: float):
    raw = np.random.default_rng(2).normal(size=(9, 12, 16)).astype(np.float32)
    raw[:4] += 1
    raw[4] = 2 * raw[4] - 1
    box = Placement((96, 128), (96, 128), (96, 128))
    everything = boxes_of(raw, box)
    exact = float(everything.scores[3])  # a box at the threshold stays
    for value in (threshold, exact):
        found, wanted = boxes_of(raw, box, value).above(value), everything.above(value)
        np.testing.assert_array_equal(found.scores, wanted.scores)
        np.testing.assert_array_equal(found.xyxy, wanted.xyxy)


def test_suppression_stays_within_a_class_and_stops_at_its_limit():
    xyxy = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [1, 0, 10, 10], [50, 0, 60, 10]], np.float32)
    assert suppress(xyxy, np.array([0, 0, 1, 0]), 0.5, 9).tolist() == [0, 2, 3]
    assert suppress(xyxy, np.array([0, 0, 1, 0]), 0.5, 2).tolist() == [0, 2]
    assert suppress(xyxy[:0], np.zeros(0), 0.5, 9).tolist() == []


def test_probabilities_survive_large_logits():
    found = softmax(np.array([1000.0, 0.0, -1000.0], np.float32))
    assert found.tolist() == [1.0, 0.0, 0.0] and found.dtype == np.float32


def test_a_task_without_a_decoder_here_decodes_itself(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(DECODERS, "cls")
    parts = decode("cls", ["a", "b"], np.zeros(2, np.float32), Placement(*[(4, 4)] * 3), 0.5)
    assert parts["probabilities"].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("size", [*SIZES, (96, 128), (700, 500)])
def test_the_input_is_the_letterbox_own(size: tuple):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    wanted, box = to_input(picture, CONFIG)
    found, placement = prepare(picture, CONFIG)
    assert astuple(placement) == astuple(box) and found.shape == (1, *box.input_hw, 3)
    levels = (wanted[0].permute(1, 2, 0).numpy() + 1) * 127.5
    # Both filters round to whole levels; a few values in a thousand fall on the other side.
    off = np.abs(levels - found[0])
    assert off.max() < 1.01 and (off > 0.5).mean() < 0.02


def test_a_view_of_a_larger_array_is_a_picture_too():
    picture = np.random.default_rng(0).integers(0, 256, (100, 120, 3)).astype(np.uint8)
    view = picture[10:90:2, ::-1]
    np.testing.assert_array_equal(prepare(view, CONFIG)[0], prepare(view.copy(), CONFIG)[0])


@pytest.mark.parametrize("picture", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32)])
def test_what_is_no_picture_is_refused(picture: np.ndarray):
    with pytest.raises(InputError, match="expected uint8 H x W x 3"):
        prepare(picture, CONFIG)


@pytest.mark.parametrize("size", [(960, 1280), (1999, 333), (700, 701), (600, 4)])
def test_a_large_picture_in_two_halves_is_the_same(size: tuple):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    height, width = Placement.of(size, ModelConfig()).content_hw
    wanted = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
    off = np.abs(resized(picture, height, width).astype(int) - np.asarray(wanted))
    # Pillow takes the borders of a half in single precision, so a few values round otherwise.
    assert off.max() <= 1 and (off > 0).mean() < 0.01
