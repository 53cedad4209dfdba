"""Scores of boxes that mean a probability, folded into the weights.

J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999: a slope and a shift of a box's
logit, fitted so that its score is how often such boxes hit an object. They are applied to the
objectness, in which they are linear, so the calibrated network costs nothing and needs no other
code; where a box's class is in doubt that is not quite the same, so the error is measured anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from mtl_core.data.splits import Split
from mtl_core.data.tensor_input import to_input
from mtl_core.decoding.boxes import SHOWN_SCORE
from mtl_core.metrics.calibration import calibration
from mtl_core.metrics.coco_map import DetectionMeter
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.tasks.detection import OBJECTNESS
from mtl_core.types import Prediction

FITTED_FROM = 0.05  # boxes of lower scores say little, and there are a hundred an image
NEWTON_STEPS = 30
HELD = np.diag([1.0, 0.01])  # how firmly slope and shift are held to where they start


@dataclass(frozen=True)
class ScoreScale:
    """What a fit found.

    Attributes:
        slope: of the objectness logit.
        shift: of the scaled logit.
        error_before: expected calibration error of the boxes shown, on the images of the fit.
        error_after: the same with the scale.
        best_threshold: score at which the most is found at the least false alarms (largest F1).
    """

    slope: float
    shift: float
    error_before: float
    error_after: float
    best_threshold: float


def fit(
    network: UnifiedVisionSystem,
    task: str,
    split: Split,
    progress: Callable[[list], Iterable] = iter,
) -> ScoreScale:
    """Find the scale of a box task's scores on images that neither train nor measure.

    Args:
        network: in eval mode.
        task: whose answers are boxes.
        split: held-out images, such as ``train:tune``.
        progress: wraps the list of images.
    """
    seen = [_raw(network, task, item, split) for item in progress(split.items)]

    def answers(slope: float, shift: float, least: float) -> tuple[np.ndarray, np.ndarray, int]:
        meter = DetectionMeter(network.tasks[task].class_names, split)
        for raw, box, truth in seen:
            scaled = raw.copy()
            scaled[OBJECTNESS] = slope * raw[OBJECTNESS] + shift
            part = network.tasks[task].decode(scaled, box)
            names = {task: network.tasks[task].class_names}
            meter.add(Prediction(box.size_hw, names, {task: part}), truth)
        found = meter.answers(least)
        objects = sum(int((~truth.crowd).sum()) for _, _, truth in seen)
        scores, hits = found if found is not None else (np.zeros(0), np.zeros(0, bool))
        return scores, hits, objects

    scores, hits, _ = answers(1.0, 0.0, FITTED_FROM)
    if not len(scores):
        return ScoreScale(1.0, 0.0, float("nan"), float("nan"), SHOWN_SCORE)
    best = logistic_fit(scores, hits)
    scores, hits, objects = answers(*best, FITTED_FROM)
    before, after = (
        calibration(*answers(*pair, SHOWN_SCORE)[:2]).error for pair in ((1.0, 0.0), best)
    )
    threshold = best_threshold(scores, hits, objects)
    return ScoreScale(best[0], best[1], before, after, threshold)


def logistic_fit(scores: np.ndarray, hits: np.ndarray) -> tuple[float, float]:
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


def _raw(network: UnifiedVisionSystem, task: str, item: object, split: Split) -> tuple:
    image, truth = network.tasks[task].read(item, split)
    pixels, box = to_input(image, network.config)
    with torch.no_grad():
        return network(pixels).raw[task][0].float().numpy(), box, truth


def best_threshold(scores: np.ndarray, hits: np.ndarray, objects: int) -> float:
    """The score from which boxes have the largest F1, to two places."""
    order = np.argsort(-scores)
    right = hits[order].cumsum()
    f1 = 2 * right / (np.arange(1, len(order) + 1) + objects)
    return round(float(scores[order][f1.argmax()]), 2) if len(order) else 0.5


def apply(network: UnifiedVisionSystem, task: str, scale: ScoreScale) -> None:
    """Fold a scale into the output layer's row for the objectness."""
    with torch.no_grad():
        network.head.output.weights[task][OBJECTNESS] *= scale.slope
        bias = network.head.output.biases[task]
        bias[OBJECTNESS] = scale.slope * bias[OBJECTNESS] + scale.shift
