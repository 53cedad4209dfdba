"""Training and evaluation read the same boxes: truth in, mAP 1.0 out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from box_encoding import encode_boxes
from torch import Tensor

from mtl_core.config import ModelConfig
from mtl_core.data.letterbox import Placement
from mtl_core.decoding.boxes import MAX_BOXES
from mtl_core.tasks.box_coding import cell_centres
from mtl_core.tasks.data_roots import DataRoots, read_split
from mtl_core.tasks.detection import Detection
from mtl_core.types import Prediction


def perfect_raw(item: Any, box: Placement, classes: int) -> Tensor:
    """What a perfect network would say: each object by the free cell nearest to its middle."""
    h, w = (side // 8 for side in box.input_hw)
    centres = cell_centres(h, w)
    scale = np.array([box.content_hw[1] / box.size_hw[1], box.content_hw[0] / box.size_hw[0]] * 2)
    raw = torch.zeros(4 + 1 + classes, h * w)
    raw[4] = -20
    taken: list[int] = []
    objects = zip(item.boxes_xyxy_px[~item.crowd], item.labels[~item.crowd], strict=True)
    for xyxy, label in objects:
        target = torch.from_numpy((xyxy * scale).astype(np.float32))
        middle = (target[:2] + target[2:]) / 2
        distance = (centres - middle).abs().amax(1)
        distance[taken] = torch.inf
        cell = int(distance.argmin())
        taken.append(cell)
        raw[:4, cell] = encode_boxes(target[None], centres[cell : cell + 1])[0]
        raw[4, cell] = 8
        raw[5 + int(label), cell] = 20
    return raw.view(-1, h, w)


@pytest.mark.parametrize("input_px", [128, 256])
def test_the_truth_survives_encoding_and_decoding(rendered: DataRoots, input_px: int):
    split = read_split(rendered, "det", "val")
    task = Detection(split.class_names)
    meter = task.meter(split)
    config = ModelConfig(input_px=input_px, max_enlarge=4)
    for item in split.items:
        box = Placement.of((item.height, item.width), config)
        part = task.decode(perfect_raw(item, box, len(split.class_names)).numpy(), box)
        meter.add(Prediction(box.size_hw, {"det": split.class_names}, {"det": part}), item)
    assert meter.score().values == {"mAP": pytest.approx(1.0), "mAP50": pytest.approx(1.0)}


def test_decoding_suppresses_repeats_within_a_class_and_sorts():
    task = Detection(["a", "b"])
    box = Placement((64, 64), (64, 64), (64, 64))
    raw = torch.zeros(7, 8, 8)
    raw[4] = -20
    # Two cells claim one object, a third claims the same place for the other class.
    claims = [((3, 3), 2.0, 0), ((3, 4), 3.0, 0), ((4, 3), 1.0, 1)]
    centres = cell_centres(8, 8).view(8, 8, 2)
    for (row, column), objectness, label in claims:
        target = torch.tensor([[10.0, 10, 50, 50]])
        raw[:4, row, column] = encode_boxes(target, centres[row, column][None])[0]
        raw[4, row, column] = objectness
        raw[5 + label, row, column] = 20
    boxes = task.decode(raw.numpy(), box)
    assert boxes.labels.tolist() == [0, 1]
    np.testing.assert_allclose(boxes.xyxy, [[10, 10, 50, 50]] * 2, atol=1e-2)
    np.testing.assert_allclose(boxes.scores, torch.tensor([3.0, 1.0]).sigmoid(), atol=1e-4)


@pytest.mark.parametrize("bias", [-20.0, 20.0])  # nothing anywhere, and everything everywhere
def test_decoding_gives_no_box_or_a_hundred_at_most(bias: float):
    raw = torch.randn(7, 16, 16)
    raw[4] = bias
    box = Placement((100, 128), (100, 128), (128, 128))
    boxes = Detection(["a", "b"]).decode(raw.numpy(), box)
    assert (len(boxes) == 0) if bias < 0 else (0 < len(boxes) <= MAX_BOXES)
    assert (boxes.xyxy >= 0).all() and (boxes.xyxy <= [128, 100, 128, 100]).all()
    assert ((boxes.scores >= 0) & (boxes.scores <= 1)).all()
