"""COCO average precision of many resamples of the same images.

Which box hits which object depends on one image alone, so pycocotools matches once; what is left
for every resample is to add up hits in the order of their scores. That is done here with counts per
image, as COCOeval.accumulate does it with lists; a test holds both equal. (Where one image has
several detections of the very same score, its copies in a sample are ranked together.)
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

BLOCK = 100  # resamples counted at once, which bounds the memory


def matches(truth: COCO, found: COCO) -> COCOeval:
    """Which detection hits which object, per class and image, in ``evalImgs``.

    Args:
        truth: annotated objects.
        found: detections, as ``truth.loadRes`` made them.
    """
    evaluation = COCOeval(truth, found, "bbox")
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
    evaluation.params.maxDets = [100]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
    return evaluation


def resampled_map(
    evaluation: COCOeval, image_ids: list[int], counts: np.ndarray
) -> dict[str, np.ndarray]:
    """mAP and mAP50 of R samples.

    Args:
        evaluation: what ``matches`` found.
        image_ids: of n images, in the columns' order.
        counts: R x n, how often an image stands in a sample.

    Returns:
        Per metric R fractions, NaN where a sample holds no object at all.
    """
    parameters = evaluation.params
    column = {image_id: i for i, image_id in enumerate(image_ids)}
    images = [column[i] for i in parameters.imgIds]
    per_class = []
    for k in range(len(parameters.catIds)):
        of_class = evaluation.evalImgs[k * len(images) : (k + 1) * len(images)]
        cells = [(p, cell) for p, cell in zip(images, of_class, strict=True) if cell is not None]
        if cells:
            per_class.append(class_precision(cells, counts, parameters.recThrs))
    precision = np.stack(per_class)  # class x R x IoU threshold
    with np.errstate(invalid="ignore"):
        held = ~np.isnan(precision)
        sums = np.where(held, precision, 0).sum(0)
        means = sums / held.sum(0)
    return {"mAP": means.mean(1), "mAP50": means[:, 0]}


def class_precision(
    cells: list[tuple[int, dict[str, Any]]], counts: np.ndarray, recalls: np.ndarray
) -> np.ndarray:
    """One class's mean precision over the recall thresholds: R x T, NaN without an object."""
    objects = np.zeros(counts.shape[1])
    for number, cell in cells:
        objects[number] += np.sum(np.asarray(cell["gtIgnore"]) == 0)
    scores = np.concatenate([cell["dtScores"] for _, cell in cells])
    order = np.argsort(-scores, kind="mergesort")
    owners = [np.full(len(cell["dtScores"]), number) for number, cell in cells]
    image = np.concatenate(owners).astype(int)[order]
    matched = np.concatenate([cell["dtMatches"] for _, cell in cells], 1)[:, order] > 0
    ignored = np.concatenate([cell["dtIgnore"] for _, cell in cells], 1)[:, order] > 0
    thresholds = len(matched)
    result = np.full((len(counts), thresholds), np.nan)
    for start in range(0, len(counts), BLOCK):
        block = counts[start : start + BLOCK]
        wanted = block @ objects
        weight = block[:, image].astype(np.float64)
        held = np.flatnonzero(wanted > 0)
        block, weight, wanted = block[held], weight[held], wanted[held, None]
        for t in range(thresholds):
            counted = ~ignored[t]
            found = np.flatnonzero(matched[t] & counted)  # precision peaks at hits alone
            hits = np.cumsum(weight[:, found], 1)
            precision = hits / (np.cumsum(weight * counted, 1)[:, found] + np.spacing(1))
            envelope = np.maximum.accumulate(precision[:, ::-1], 1)[:, ::-1]
            passed = np.searchsorted(recalls, hits / wanted, side="right")
            share = np.diff(passed, axis=1, prepend=0)  # recall thresholds first reached at a hit
            result[start + held, t] = (envelope * share).sum(1) / len(recalls)
    return result
