"""Random views keep boxes and masks on their objects."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision import tv_tensors

from mtl_core.config import ModelConfig, StageConfig
from mtl_core.data.augment import KEEP_VISIBLE, mark_cut_boxes, mosaic, random_view
from mtl_core.data.splits import VOID

MODEL = ModelConfig(input_px=128)
STAGE = StageConfig("det", 1, 1e-3, crop_px=128, scale=(0.7, 1.6))
RED, GREEN = torch.tensor([230.0, 10, 10]), torch.tensor([10.0, 230, 10])


def scene(seed: int, h: int = 90, w: int = 120) -> dict[str, Any]:
    """One red rectangle on green, boxed, with red pixels masked as class 3."""
    generator = torch.Generator().manual_seed(seed)
    bw, bh = torch.randint(20, 50, (2,), generator=generator).tolist()
    x = int(torch.randint(0, w - bw, (1,), generator=generator))
    y = int(torch.randint(0, h - bh, (1,), generator=generator))
    pixels = GREEN.view(3, 1, 1).expand(3, h, w).clone()
    pixels[:, y : y + bh, x : x + bw] = RED.view(3, 1, 1)
    mask = torch.zeros(1, h, w, dtype=torch.uint8)
    mask[:, y : y + bh, x : x + bw] = 3
    return {
        "pixels": tv_tensors.Image(pixels.to(torch.uint8)),
        "mask": tv_tensors.Mask(mask),
        "boxes": tv_tensors.BoundingBoxes(
            torch.tensor([[x, y, x + bw, y + bh]], dtype=torch.float32),
            format="XYXY",
            canvas_size=(h, w),
        ),
        "labels": torch.tensor([2]),
        "crowd": torch.tensor([False]),
    }


def boxed_only(sample: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in sample.items() if k != "mask"}


def is_red(pixels: Tensor) -> Tensor:
    return (pixels[0] > 120) & (pixels[1] < 120)


def check_boxes(view: dict[str, Any]) -> int:
    """Red inside, and as many red pixels in all boxes as in the view."""
    red = is_red(view["pixels"].as_subclass(Tensor).int())
    boxed = torch.zeros_like(red)
    for x0, y0, x1, y1 in torch.cat([view["boxes"], view["ignore"]]).tolist():
        inner = red[round(y0 + 1) : round(y1 - 1), round(x0 + 1) : round(x1 - 1)]
        assert inner.all()
        boxed[max(0, int(y0) - 1) : int(y1) + 2, max(0, int(x0) - 1) : int(x1) + 2] = True
    assert not (red & ~boxed).any()
    return len(view["boxes"])


def test_a_box_stays_on_its_object():
    torch.manual_seed(0)
    found = 0
    for seed in range(60):
        view = random_view(boxed_only(scene(seed)), STAGE, MODEL, (128, 128))
        assert view["pixels"].shape == (3, 128, 128)
        assert view["labels"].tolist() == [2] * len(view["boxes"])
        found += check_boxes(view)
    assert found > 20  # most views do show the object


def test_a_box_stays_on_its_object_in_mosaics():
    torch.manual_seed(1)
    found = 0
    for seed in range(0, 80, 4):
        samples = [boxed_only(scene(s)) for s in range(seed, seed + 4)]
        view = mosaic(samples, STAGE, MODEL, 128)
        assert view["pixels"].shape == (3, 128, 128)
        found += check_boxes(view)
    assert found > 20


def test_masks_are_cut_with_their_pixels_and_hold_no_new_ids():
    torch.manual_seed(2)
    outside = 0
    for seed in range(40):
        sample = {k: v for k, v in scene(seed).items() if k in ("pixels", "mask")}
        view = random_view(sample, STAGE, MODEL, (128, 128))
        mask, pixels = view["mask"].as_subclass(Tensor)[0], view["pixels"].as_subclass(Tensor).int()
        assert set(mask.unique().tolist()) <= {0, 3, VOID}
        outside += int((mask == VOID).sum())
        # Where colours are clear, they agree; edges are blends.
        assert (mask[(pixels[0] > 220) & (pixels[1] < 20)] == 3).float().mean() > 0.97
        assert (mask[(pixels[0] < 20) & (pixels[1] > 220)] == 0).float().mean() > 0.97
        grey = (pixels - 128).abs().amax(0) < 2
        assert (mask[grey] == VOID).float().mean() > 0.95 if grey.any() else True
    assert outside > 0


@pytest.mark.parametrize(
    ("box", "crowd", "trained", "ignored"),
    [
        ([0.0, 0, 10, 10], False, 1, 0),  # whole
        ([0.0, 0, 10, 10 * KEEP_VISIBLE + 0.1], False, 1, 0),  # just enough of it
        ([0.0, 0, 10, 10 * KEEP_VISIBLE - 0.1], False, 0, 1),  # cut too far
        ([0.0, 0, 10, 0], False, 0, 0),  # out of sight
        ([0.0, 0, 10, 10], True, 0, 1),  # a crowd is never trained
    ],
)
def test_cut_boxes_are_neither_trained_nor_punished(
    box: list, crowd: bool, trained: int, ignored: int
):
    boxes = tv_tensors.BoundingBoxes([box], format="XYXY", canvas_size=(20, 20))
    sample = {"boxes": boxes, "labels": torch.tensor([1]), "crowd": torch.tensor([crowd])}
    view = mark_cut_boxes(sample, torch.tensor([100.0]), 1.0)
    assert [len(view["boxes"]), len(view["labels"]), len(view["ignore"])] == [
        trained,
        trained,
        ignored,
    ]
