"""The meters against other people's, and against what nobody can argue with."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

from mtl_core.data.mask_io import read_mask
from mtl_core.data.splits import VOID, Split
from mtl_core.metrics.coco_map import DetectionMeter
from mtl_core.metrics.miou import SegmentationMeter, confusion, mean_iou
from mtl_core.metrics.top1 import ClassificationMeter
from mtl_core.tasks.data_roots import DataRoots, data_roots, read_split
from mtl_core.types import Boxes, InputError, Prediction
from tests.answers import prediction

NAMES = [f"class {i}" for i in range(7)]


def masked(mask: np.ndarray) -> Prediction:
    return prediction(mask.shape, {"seg": NAMES}, mask=mask)


def chosen(label: int, names: list[str]) -> Prediction:
    probabilities = np.full(len(names), 0.1, np.float32)
    probabilities[label] = 0.9
    return prediction((4, 4), {"cls": names}, probabilities=probabilities)


@pytest.mark.parametrize("seed", range(5))
def test_miou_equals_torchmetrics(seed: int):
    rng = np.random.default_rng(seed)
    # Classes 5 and 6 are absent from truth and guesses; a tenth of the pixels is void.
    truth = rng.integers(0, 5, (3, 20, 30)).astype(np.uint8)
    guess = np.where(rng.random(truth.shape) < 0.5, truth, rng.integers(0, 5, truth.shape))
    guess = guess.astype(np.uint8)
    truth[rng.random(truth.shape) < 0.1] = VOID
    meter = SegmentationMeter(NAMES, NAMES)
    for t, g in zip(truth, guess, strict=True):
        meter.add(masked(g), t)
    theirs = MulticlassJaccardIndex(7, average="none", ignore_index=VOID)
    per_class = theirs(torch.from_numpy(guess).long(), torch.from_numpy(truth).long())[:5]
    score = meter.score()
    assert score.n == 3 and list(score.per_class) == NAMES[:5]
    np.testing.assert_allclose(list(score.per_class.values()), per_class, atol=1e-6)
    assert score.values["mIoU"] == pytest.approx(per_class.mean().item(), abs=1e-6)


TRUTH = np.array([[0, 0, 1, 1], [0, 2, 2, VOID]], np.uint8)
MIOU = [
    ("perfect", TRUTH, 1.0),
    ("wrong on void alone", np.where(TRUTH == VOID, 3, TRUTH), 1.0),
    ("background everywhere", np.zeros_like(TRUTH), (3 / 7 + 0 + 0) / 3),
    ("nothing right", np.full_like(TRUTH, 4), 0.0),
    (
        "an absent class guessed once",
        np.where(TRUTH == 2, [[0, 0, 0, 0], [0, 2, 3, 0]], TRUTH),
        0.625,
    ),
]


@pytest.mark.parametrize(("guess", "expected"), [r[1:] for r in MIOU], ids=[r[0] for r in MIOU])
def test_miou_of_plain_cases(guess: np.ndarray, expected: float):
    meter = SegmentationMeter(NAMES, NAMES)
    meter.add(masked(guess.astype(np.uint8)), TRUTH)
    assert meter.score().values["mIoU"] == pytest.approx(expected)


def test_all_background_scores_next_to_nothing_on_real_masks():
    root = Path(os.environ.get("ONEHEAD_DATA", "")) / "mini"
    if "ONEHEAD_DATA" not in os.environ or not root.is_dir():
        pytest.skip("ONEHEAD_DATA names no folder with the mini sample of real images")
    split = read_split(data_roots(root), "seg", "val")
    matrix = np.zeros((21, 21), np.int64)
    for item in split.items:
        truth = read_mask(item.mask, 21)
        matrix += confusion(truth, np.zeros_like(truth), 21)
    assert mean_iou(matrix) == pytest.approx(0.034, abs=0.002)


@pytest.mark.parametrize("seed", range(3))
def test_top1_equals_torchmetrics(seed: int):
    rng = np.random.default_rng(seed)
    truth, guess = rng.integers(0, 5, 40), rng.integers(0, 7, 40)  # two classes never occur
    meter = ClassificationMeter(NAMES, NAMES)
    for t, g in zip(truth, guess, strict=True):
        meter.add(chosen(g, NAMES), int(t))
    theirs = MulticlassAccuracy(7, average="micro")(torch.tensor(guess), torch.tensor(truth))
    score = meter.score()
    assert score.values["top1"] == pytest.approx(theirs.item())
    assert score.n == 40 and set(score.per_class) == {NAMES[i] for i in set(truth.tolist())}


def truth_as_boxes(item, to_model: list[int]) -> Boxes:
    labels = np.array([to_model[i] for i in item.labels[~item.crowd]], np.int64)
    return Boxes(item.boxes_xyxy_px[~item.crowd], np.full(len(labels), 0.9, np.float32), labels)


def boxed(item, boxes: Boxes, names: list[str]) -> Prediction:
    return prediction((item.height, item.width), {"det": names}, boxes=boxes)


@pytest.mark.parametrize("order", ["same", "reversed", "among others"])
def test_the_truth_scores_one_whatever_the_order_of_the_names(rendered: DataRoots, order: str):
    split = read_split(rendered, "det", "val")
    data = split.class_names
    names = {"same": data, "reversed": data[::-1], "among others": ["zebra", *data[::-1], "a"]}
    names = names[order]
    to_model = [names.index(name) for name in data]
    meter = DetectionMeter(names, split)
    for item in split.items:
        meter.add(boxed(item, truth_as_boxes(item, to_model), names), item)
    score = meter.score()
    assert score.values == {"mAP": pytest.approx(1.0), "mAP50": pytest.approx(1.0)}
    assert score.per_class == {name: pytest.approx(1.0) for name in score.per_class}
    assert score.n == len(split)


def test_no_detections_score_zero(rendered: DataRoots):
    split = read_split(rendered, "det", "val")
    meter = DetectionMeter(split.class_names, split)
    for item in split.items:
        meter.add(boxed(item, Boxes.empty(), split.class_names), item)
    score = meter.score()
    assert score.values == {"mAP": 0.0, "mAP50": 0.0}
    assert score.per_class and set(score.per_class.values()) == {0.0}


def shaken(split: Split, seed: int) -> list[Boxes]:
    """The truth moved about, some of it dropped or mislabelled, and boxes where nothing is."""
    rng = np.random.default_rng(seed)
    found = []
    for item in split.items:
        boxes = item.boxes_xyxy_px[~item.crowd]
        boxes = np.concatenate([boxes, rng.uniform(0, 40, (3, 2)).repeat(2, 0).reshape(-1, 4)])
        boxes[-3:, 2:] += rng.uniform(5, 40, (3, 2))
        boxes = (boxes + rng.normal(0, 2, boxes.shape)).astype(np.float32)
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
        labels = np.concatenate([item.labels[~item.crowd], rng.integers(0, 5, 3)])
        wrong = rng.random(len(labels)) < 0.2
        labels = np.where(wrong, rng.integers(0, 5, len(labels)), labels)
        keep = rng.random(len(labels)) < 0.9
        scores = rng.random(len(labels)).astype(np.float32)
        found.append(Boxes(boxes[keep], scores[keep], labels[keep]))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_map_equals_pycocotools_on_the_original_file(rendered: DataRoots, seed: int):
    split = read_split(rendered, "det", "train")
    predictions = shaken(split, seed)
    meter = DetectionMeter(split.class_names, split)
    rows = []
    assert split.annotations is not None
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(split.annotations))
        ids = {c["name"]: c["id"] for c in truth.dataset["categories"]}
        for item, boxes in zip(split.items, predictions, strict=True):
            meter.add(boxed(item, boxes, split.class_names), item)
            for (x0, y0, x1, y1), score, label in zip(
                boxes.xyxy.tolist(), boxes.scores.tolist(), boxes.labels.tolist(), strict=True
            ):
                rows.append(
                    {
                        "image_id": item.image_id,
                        "category_id": ids[split.class_names[label]],
                        "bbox": [x0, y0, x1 - x0, y1 - y0],
                        "score": score,
                    }
                )
        direct = COCOeval(truth, truth.loadRes(rows), "bbox")
        direct.evaluate()
        direct.accumulate()
        direct.summarize()
    values = meter.score().values
    assert 0.05 < values["mAP"] < values["mAP50"] < 1
    assert values["mAP"] == pytest.approx(direct.stats[0], abs=1e-6)
    assert values["mAP50"] == pytest.approx(direct.stats[1], abs=1e-6)


def test_masks_and_labels_are_matched_by_name():
    turned = NAMES[::-1]
    seg = SegmentationMeter(turned, NAMES)
    seg.add(masked(np.where(TRUTH == VOID, 0, 6 - TRUTH.astype(int)).astype(np.uint8)), TRUTH)
    assert seg.score().values["mIoU"] == 1.0
    assert set(seg.score().per_class) == set(NAMES[:3])
    cls = ClassificationMeter(turned, NAMES)
    cls.add(chosen(6 - 2, turned), 2)
    assert cls.score().values["top1"] == 1.0 and cls.score().per_class == {NAMES[2]: 1.0}


@pytest.mark.parametrize(
    ("make", "task"),
    [
        (lambda n, d: SegmentationMeter(n, d), "segmentation"),
        (lambda n, d: DetectionMeter(n, SimpleNamespace(class_names=d)), "detection"),
        (lambda n, d: ClassificationMeter(n, d), "classification"),
    ],
)
def test_an_unknown_class_is_one_sentence(make, task: str):
    with pytest.raises(InputError) as caught:
        make(NAMES, [*NAMES[:2], "unicorn"])
    sentence = str(caught.value)
    assert f"{task} class 'unicorn' is unknown" in sentence and NAMES[0] in sentence
    assert sentence.endswith(".") and "\n" not in sentence
