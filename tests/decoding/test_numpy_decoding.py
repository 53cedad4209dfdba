"""Decoding in NumPy gives what PyTorch's and torchvision's own operations give."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision.ops import batched_nms, box_iou

from mtl_core.config import ModelConfig
from mtl_core.data.letterbox import Placement
from mtl_core.data.tensor_input import to_input
from mtl_core.decoding import boxes as decode_boxes
from mtl_core.decoding.boxes import best_first, boxes_of, overlaps, suppress
from mtl_core.decoding.masks import mask_of, winners
from mtl_core.decoding.probabilities import probabilities_of
from mtl_core.engine.preprocess import prepare, resized
from mtl_core.tasks import box_coding as boxes
from mtl_core.tasks.box_coding import cell_centres
from mtl_core.types import Boxes, InputError

CONFIG = ModelConfig(input_px=128)
SIZES = [(90, 120), (33, 200), (200, 33), (1, 1), (128, 128), (640, 300)]


def soft_logits(box: Placement, classes: int, stride: int, noise: float) -> np.ndarray:
    generator = torch.Generator().manual_seed(0)
    h, w = (side // stride for side in box.input_hw)
    coarse = torch.randn(1, classes, max(2, h // 6), max(2, w // 6), generator=generator)
    soft = torch.nn.functional.interpolate(coarse, (h, w), mode="bicubic")[0]
    return (soft + noise * torch.randn(soft.shape, generator=generator)).numpy()


def test_constants_are_the_tasks_own():
    for name in ("STRIDE_PX", "LOG_DISTANCE_MIN", "LOG_DISTANCE_MAX"):
        assert getattr(decode_boxes, name) == getattr(boxes, name)


def interpolated_winners(logits: np.ndarray, box: Placement) -> np.ndarray:
    """All classes at full size by grid_sample, then argmax."""
    _, h, w = logits.shape
    rows = box.content_hw[0] * h / box.input_hw[0]
    columns = box.content_hw[1] * w / box.input_hw[1]
    ys = (torch.arange(box.size_hw[0]) + 0.5) / box.size_hw[0] * rows * 2 / h - 1
    xs = (torch.arange(box.size_hw[1]) + 0.5) / box.size_hw[1] * columns * 2 / w - 1
    grid = torch.stack(torch.meshgrid(ys, xs, indexing="ij")[::-1], dim=-1).unsqueeze(0)
    maps = torch.from_numpy(logits).unsqueeze(0)
    sampled = F.grid_sample(maps, grid, padding_mode="border", align_corners=False)
    return sampled[0].argmax(0).to(torch.uint8).numpy()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stride", [4, 8])
@pytest.mark.parametrize("noise", [0.05, 3.0])  # few edges; edges everywhere, many candidates
def test_masks_are_those_of_full_interpolation(size: tuple, stride: int, noise: float):
    box = Placement.of(size, CONFIG)
    logits = soft_logits(box, 7, stride, noise)
    wanted = interpolated_winners(logits, box)
    found = mask_of(logits, box)
    assert found.shape == size and found.dtype == np.uint8
    assert (found != wanted).mean() < 1e-3


def test_the_first_of_equal_classes_wins():
    logits = np.zeros((3, 2, 2), np.float32)
    assert (winners(logits) == 0).all()
    assert (mask_of(logits, Placement((5, 5), (8, 8), (32, 32))) == 0).all()


def voted_boxes(raw: torch.Tensor, box: Placement) -> tuple[torch.Tensor, ...]:
    """torchvision's suppression; every kept box becomes the weighted mean of its class nearby."""
    flat = raw.flatten(1).T
    scores = flat[:, 4].sigmoid().unsqueeze(1) * flat[:, 5:].softmax(1)
    cells, labels = (scores > decode_boxes.SCORE_MIN).nonzero(as_tuple=True)
    values = scores[cells, labels]
    order = values.argsort(descending=True, stable=True)[: decode_boxes.NMS_CANDIDATES]
    cells, labels, values = cells[order], labels[order], values[order]
    centres = cell_centres(*raw.shape[1:])[cells]
    xyxy = box.boxes_to_original(boxes.decode_boxes(flat[cells, :4], centres).numpy())
    xyxy = torch.from_numpy(xyxy)
    solid = ((xyxy[:, 2:] - xyxy[:, :2]) > 0).all(1)
    xyxy, labels, values = xyxy[solid], labels[solid], values[solid]
    keep = batched_nms(xyxy, values, labels, decode_boxes.NMS_IOU)[: decode_boxes.MAX_BOXES]
    near = box_iou(xyxy[keep], xyxy) > decode_boxes.VOTE_IOU
    votes = near * (labels[keep][:, None] == labels) * values
    return votes @ xyxy / votes.sum(1, keepdim=True), values[keep], labels[keep]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("objectness", [-1.0, -4.0, -12.0])  # crowded, some, none at all
def test_boxes_are_those_of_torchvision(size: tuple, objectness: float):
    box = Placement.of(size, CONFIG)
    raw = np.random.default_rng(1).normal(size=(4 + 1 + 5, *(s // 8 for s in box.input_hw)))
    raw = raw.astype(np.float32)
    raw[:4] += 1
    raw[4] += objectness
    xyxy, scores, labels = voted_boxes(torch.from_numpy(raw), box)
    wanted = Boxes(xyxy.numpy(), scores.numpy(), labels.numpy())
    found = boxes_of(raw, box)
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
    labels = np.array([0, 0, 1, 0])
    keep, near = suppress(xyxy, labels, 4, 0.5, 9)
    assert keep.tolist() == [0, 2, 3]
    np.testing.assert_allclose(near, [[1, 0.9, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], rtol=1e-6)
    assert suppress(xyxy, labels, 4, 0.5, 2)[0].tolist() == [0, 2]
    assert suppress(xyxy, labels, 3, 0.5, 9)[0].tolist() == [0, 2]
    keep, near = suppress(xyxy[:0], np.zeros(0), 0, 0.5, 9)
    assert keep.tolist() == [] and near.shape == (0, 0)


def test_the_best_come_first_and_equal_ones_keep_their_order():
    values = np.random.default_rng(0).integers(0, 50, 400) / 50
    whole = np.argsort(-values, kind="stable")
    for limit in (1, 7, 399, 400, 1000):
        np.testing.assert_array_equal(best_first(values, limit), whole[:limit])


def test_probabilities_survive_large_logits():
    found = probabilities_of(np.array([1000.0, 0.0, -1000.0], np.float32)).values
    assert found.tolist() == [1.0, 0.0, 0.0] and found.dtype == np.float32


@pytest.mark.parametrize("size", [*SIZES, (96, 128), (700, 500)])
def test_the_input_is_the_letterbox_own(size: tuple):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    wanted, box = to_input(image, CONFIG)
    found, placement = prepare(image, CONFIG)
    assert astuple(placement) == astuple(box) and found.shape == (1, *box.input_hw, 3)
    levels = (wanted[0].permute(1, 2, 0).numpy() + 1) * 127.5
    # Both filters round to whole levels; a few values in a thousand fall on the other side.
    off = np.abs(levels - found[0])
    assert off.max() < 1.01 and (off > 0.5).mean() < 0.02


def test_a_view_of_a_larger_array_is_an_image_too():
    image = np.random.default_rng(0).integers(0, 256, (100, 120, 3)).astype(np.uint8)
    view = image[10:90:2, ::-1]
    np.testing.assert_array_equal(prepare(view, CONFIG)[0], prepare(view.copy(), CONFIG)[0])


@pytest.mark.parametrize("image", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32)])
def test_what_is_no_image_is_refused(image: np.ndarray):
    with pytest.raises(InputError, match="expected uint8 H x W x 3"):
        prepare(image, CONFIG)


@pytest.mark.parametrize("size", [(960, 1280), (1999, 333), (700, 701), (600, 4)])
def test_a_large_image_in_two_halves_is_the_same(size: tuple):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    height, width = Placement.of(size, ModelConfig()).content_hw
    wanted = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    off = np.abs(resized(image, height, width).astype(int) - np.asarray(wanted))
    # Pillow takes the borders of a half in single precision, so a few values round otherwise.
    assert off.max() <= 1 and (off > 0).mean() < 0.01


def test_overlaps_are_torchvisions_and_zero_without_an_area():
    a = np.array([[0, 0, 4, 4], [2, 2, 8, 6], [3, 3, 3, 3]], np.float32)
    found = overlaps(a[:, None], a)
    np.testing.assert_allclose(found[:2, :2], box_iou(*2 * [torch.from_numpy(a[:2])]))
    assert (found[2] == 0).all() and overlaps(a[:0, None], a).shape == (0, 3)
