"""A resample's score is what the referee says of the same images, each as often as drawn."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtl_core.data.splits import DetItem, Split
from mtl_core.metrics.base import Meter
from mtl_core.metrics.bootstrap import (
    Interval,
    Sampled,
    drop_interval,
    finite,
    gate,
    resamples,
)
from mtl_core.metrics.coco_map import DetectionMeter
from mtl_core.metrics.miou import SegmentationMeter
from mtl_core.metrics.top1 import ClassificationMeter
from mtl_core.types import Boxes, InputError, Prediction
from tests.answers import prediction

NAMES = ["a", "b", "c"]


def scene(rng: np.random.Generator, number: int, skill: float) -> tuple[DetItem, Prediction]:
    """An image with objects, and detections that find them the better the skill."""
    n = int(rng.integers(0, 5))
    corner = rng.uniform(0, 60, (n, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(8, 40, (n, 2))], 1).astype(np.float32)
    labels = rng.integers(0, 2, n)  # class c never stands in the truth
    item = DetItem(
        image=Path(f"{number}.jpg"),
        image_id=number,
        width=100,
        height=100,
        boxes_xyxy_px=boxes,
        labels=labels,
        crowd=rng.random(n) < 0.15,
    )
    found = boxes + rng.normal(0, 6 * (1 - skill), boxes.shape).astype(np.float32)
    strays = rng.uniform(0, 50, (3, 2))
    strays = np.concatenate([strays, strays + 20], 1).astype(np.float32)
    xyxy = np.concatenate([found, strays])
    # Scores are the same in several images, but not within one.
    scores = rng.choice(np.arange(1, 11) / 10, n + 3, replace=False)
    order = np.argsort(-scores, kind="stable")
    guessed = np.concatenate([labels, rng.integers(0, 3, 3)])
    said = prediction(
        (100, 100),
        {"det": NAMES},
        boxes=Boxes(xyxy[order], scores[order].astype(np.float32), guessed[order]),
    )
    return item, said


def detection_meter(pairs: list[tuple[DetItem, Prediction]]) -> DetectionMeter:
    meter = DetectionMeter(NAMES, Split(NAMES, [], "val", task="det"))
    for item, said in pairs:
        meter.add(said, item)
    return meter


def test_resampled_map_is_pycocotools_own():
    rng = np.random.default_rng(0)
    pairs = [scene(rng, number, 0.6) for number in range(14)]
    counts = np.vstack([np.ones(14, int), resamples(14, 6, seed=3)])
    found = detection_meter(pairs).resampled(counts)
    for row, count in enumerate(counts):
        copies = [pair for pair, times in zip(pairs, count, strict=True) for _ in range(times)]
        renamed = [(replace(item, image_id=i), p) for i, (item, p) in enumerate(copies)]
        wanted = detection_meter(renamed).score().values
        assert 0 < wanted["mAP"] < 1
        for metric, value in wanted.items():
            assert found[metric][row] == pytest.approx(value, abs=1e-12), (row, metric)


def test_a_sample_without_objects_or_detections():
    rng = np.random.default_rng(1)
    pairs = [scene(rng, number, 0.6) for number in range(6)]
    first, prediction = pairs[0]
    pairs[0] = replace(first, crowd=np.ones(len(first.labels), bool)), prediction
    alone = np.zeros((1, 6), int)
    alone[0, 0] = 6
    assert math.isnan(detection_meter(pairs).resampled(alone)["mAP"][0])
    blind = [(item, replace(p, parts={"det": Boxes.empty()})) for item, p in pairs]
    found = detection_meter(blind).resampled(np.vstack([np.ones(6, int), alone]))
    assert found["mAP50"][0] == 0 and math.isnan(found["mAP50"][1])


def seg_meter(rng: np.random.Generator, n: int, noise: float) -> SegmentationMeter:
    meter = SegmentationMeter(NAMES, NAMES)
    for _ in range(n):
        truth = rng.integers(0, 3, (6, 7)).astype(np.uint8)
        guess = np.where(rng.random(truth.shape) < noise, 0, truth).astype(np.uint8)
        meter.add(prediction((6, 7), {"seg": NAMES}, mask=guess), truth)
    return meter


def cls_meter(right: list[bool]) -> ClassificationMeter:
    meter = ClassificationMeter(NAMES, NAMES)
    for hit in right:
        row = np.array([1, 0, 0] if hit else [0, 1, 0], np.float32)
        meter.add(prediction((1, 1), {"cls": NAMES}, probabilities=row), 0)
    return meter


def test_resampled_masks_and_classes_are_scored_as_their_copies():
    seg, cls = seg_meter(np.random.default_rng(0), 5, 0.4), cls_meter([True, False, True, True])
    counts = np.array([[2, 0, 1, 0, 2], [1, 1, 1, 1, 1]])
    copies = SegmentationMeter(NAMES, NAMES)
    copies.matrices = [seg.matrices[i] for i in (0, 0, 2, 4, 4)]
    found = seg.resampled(counts)["mIoU"]
    assert found.tolist() == [copies.score().values["mIoU"], seg.score().values["mIoU"]]
    assert cls.resampled(np.array([[0, 3, 1, 0]]))["top1"].tolist() == [0.25]


def test_a_metric_without_resampling_says_so():
    class Plain(Meter):
        def add(self, prediction, item) -> None: ...

        def score(self): ...

    with pytest.raises(InputError, match="Plain cannot score resampled"):
        Plain().resampled(np.ones((1, 1), int))


def test_draws_are_with_replacement_and_the_same_for_the_same_seed():
    counts = resamples(20, 50, seed=1)
    assert counts.shape == (50, 20) and (counts.sum(1) == 20).all() and counts.max() > 1
    assert (counts == resamples(20, 50, seed=1)).all()
    assert (counts != resamples(20, 50, seed=2)).any()


def test_pairing_leaves_no_doubt_where_both_are_the_same():
    meter = seg_meter(np.random.default_rng(0), 12, 0.3)
    counts = resamples(12, 200)
    drawn = Sampled.of(meter, "mIoU", counts)
    drop = drop_interval(drawn, drawn)
    assert drop == Interval(0.0, 0.0, 0.0)


def test_intervals_hold_the_value_and_narrow_with_more_images():
    widths = []
    for n in (40, 640):
        rng = np.random.default_rng(0)
        base = cls_meter((rng.random(n) < 0.9).tolist())
        final = cls_meter((rng.random(n) < 0.6).tolist())
        counts = resamples(n, 500)
        drop = drop_interval(*(Sampled.of(meter, "top1", counts) for meter in (base, final)))
        assert drop.low < drop.value < drop.high
        widths.append(drop.high - drop.low)
    assert widths[1] < widths[0] / 2


def test_a_drop_from_nothing_is_undefined():
    nothing = cls_meter([False] * 6)
    drawn = Sampled.of(nothing, "top1", resamples(6, 50))
    drop = drop_interval(drawn, drawn)
    assert math.isnan(drop.value) and math.isnan(drop.low) and math.isnan(drop.high)


def test_what_json_has_no_word_for_is_null_however_deep():
    assert finite({"a": [{"b": math.nan}, math.inf, 1], "c": "d"}) == {
        "a": [{"b": None}, None, 1],
        "c": "d",
    }


@pytest.mark.parametrize(
    ("drop", "reached", "verdict"),
    [
        (Interval(0.01, -0.02, 0.04), 0.5, "pass"),
        (Interval(0.01, -0.02, 0.09), 0.5, "undecided"),
        (Interval(0.20, 0.06, 0.30), 0.5, "fail"),
        (Interval(0.00, 0.00, 0.00), 0.2, "fail"),  # nothing lost, because nothing was learned
        (Interval(math.nan, math.nan, math.nan), 0.5, "undecided"),
        (None, 0.5, "pass"),
        (None, 0.2, "fail"),
    ],
)
def test_the_gate(drop: Interval | None, reached: float, verdict: str):
    assert gate(drop, reached, floor=0.3) == verdict
