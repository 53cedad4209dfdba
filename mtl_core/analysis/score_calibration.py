"""Scores of boxes that mean a probability, folded into the weights.

J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999: a slope and a shift of the
objectness logit, fitted so that a box's score is how often such boxes hit an object. Both are
linear in the output layer, so the calibrated network costs nothing and needs no other code.
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
STEPS = (0.4, 0.2, 0.1, 0.05)  # of the search, in units of slope and of the logit


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

    def surprise(slope: float, shift: float) -> float:
        scores, hits, _ = answers(slope, shift, FITTED_FROM)
        p = scores.clip(1e-4, 1 - 1e-4)
        return float(-np.where(hits, np.log(p), np.log1p(-p)).mean()) if len(p) else np.inf

    best, least = (1.0, 0.0), surprise(1.0, 0.0)
    for step in STEPS:
        while True:
            around = [(best[0] + i * step / 2, best[1] + j * step) for i, j in _CROSS]
            values = {pair: surprise(*pair) for pair in around if pair[0] > 0}
            nearest = min(values, key=values.__getitem__)
            if values[nearest] >= least - 1e-5:
                break
            best, least = nearest, values[nearest]
    scores, hits, objects = answers(*best, FITTED_FROM)
    before, after = (
        calibration(*answers(*pair, SHOWN_SCORE)[:2]).error for pair in ((1.0, 0.0), best)
    )
    threshold = best_threshold(scores, hits, objects)
    return ScoreScale(best[0], best[1], before, after, threshold)


_CROSS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1))


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
