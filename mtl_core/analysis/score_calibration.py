"""How a box's score is to be read as a probability, from images held out from training.

A slope and a shift of its logit are fitted so that a score is how often such boxes hit an object;
see ``decoding.score_scale``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtl_core.data.splits import Split
from mtl_core.decoding.boxes import SHOWN_SCORE
from mtl_core.decoding.score_scale import scaled
from mtl_core.learning.evaluation import predict_task
from mtl_core.metrics.calibration import calibration
from mtl_core.metrics.coco_map import DetectionMeter
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.types import UNSCALED, Prediction, ScoreScale

FITTED_FROM = 0.05  # boxes of lower scores say little, and there are a hundred an image
NEWTON_STEPS = 30
HELD = np.diag([1.0, 0.01])  # how firmly slope and shift are held to where they start


@dataclass(frozen=True)
class Fit:
    """What a fit found.

    Attributes:
        scale: slope and shift of a score's logit.
        error_before: expected calibration error of the boxes shown, on the images of the fit.
        error_after: the same with the scale.
        best_threshold: score at which the most is found at the least false alarms (largest F1).
    """

    scale: ScoreScale
    error_before: float
    error_after: float
    best_threshold: float


def fit(
    network: UnifiedVisionSystem,
    task: str,
    split: Split,
    progress: Callable[[list[Any]], Iterable[Any]] = iter,
) -> Fit:
    """Find the scale of a box task's scores on images that neither train nor measure.

    Args:
        network: in eval mode; a scale that it has already is taken from it.
        task: whose answers are boxes.
        split: held-out images, such as ``train:tune``.
        progress: wraps the list of images.
    """
    network.tasks[task].score_scale = UNSCALED
    meter = DetectionMeter(network.tasks[task].class_names, split)
    objects = 0
    for item in progress(split.items):
        part, truth = _answer(network, task, item, split)
        meter.add(part, truth)
        objects += int((~truth.crowd).sum())
    found = meter.answers(FITTED_FROM)
    if found is None or not len(found[0]):
        return Fit(UNSCALED, float("nan"), float("nan"), SHOWN_SCORE)
    scores, hits = found
    scale = logistic_fit(scores, hits)
    after = scaled(scores, scale)
    errors = [
        calibration(values[values >= SHOWN_SCORE], hits[values >= SHOWN_SCORE]).error
        for values in (scores, after)
    ]
    return Fit(scale, errors[0], errors[1], best_threshold(after, hits, objects))


def logistic_fit(scores: np.ndarray, hits: np.ndarray) -> ScoreScale:
    """Slope and shift of the scores' logits that make the hits most likely, by Newton's method.

    Both are held to 1 and 0 a little, so that scores which hardly differ have a fit, too.
    """
    p = scores.clip(1e-4, 1 - 1e-4)
    x = np.stack([np.log(p / (1 - p)), np.ones(len(p))], 1).astype(np.float64)
    start = theta = np.array([1.0, 0.0])
    for _ in range(NEWTON_STEPS):
        stated = 1 / (1 + np.exp(-(x @ theta)))
        slope = x.T @ (stated - hits) + HELD @ (theta - start)
        curve = (x * (stated * (1 - stated))[:, None]).T @ x + HELD
        theta = theta - np.linalg.solve(curve, slope)
    return float(theta[0]), float(theta[1])


def _answer(
    network: UnifiedVisionSystem, task: str, item: object, split: Split
) -> tuple[Prediction, Any]:
    image, truth = network.tasks[task].read(item, split)
    return predict_task(network, network.backbone.frozen, image, task), truth


def best_threshold(scores: np.ndarray, hits: np.ndarray, objects: int) -> float:
    """The score from which boxes have the largest F1, to two places."""
    order = np.argsort(-scores)
    right = hits[order].cumsum()
    f1 = 2 * right / (np.arange(1, len(order) + 1) + objects)
    return round(float(scores[order][f1.argmax()]), 2) if len(order) else 0.5
