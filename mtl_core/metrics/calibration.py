"""Whether a stated probability is how often the answer is right.

Expected calibration error: C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
eq. 3, with equally wide bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 10


@dataclass(frozen=True)
class Calibration:
    """Of one task after one stage.

    Attributes:
        error: expected calibration error, 0 to 1; NaN without an answer.
        stated: per bin the mean stated probability, NaN where the bin is empty.
        right: per bin the share of right answers.
        count: per bin the number of answers.
    """

    error: float
    stated: np.ndarray
    right: np.ndarray
    count: np.ndarray


def calibration(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> Calibration:
    """Compare stated probabilities with outcomes.

    Args:
        confidence: N in 0..1: a class's probability, a box's score.
        correct: N bool: whether the class was right, the box hit an object.
        bins: equally wide ones.
    """
    place = np.minimum((np.asarray(confidence) * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        stated = np.bincount(place, confidence, bins) / count
        right = np.bincount(place, np.asarray(correct, float), bins) / count
    gaps = np.nan_to_num(np.abs(stated - right))
    total = count.sum()
    error = float((gaps * count).sum() / total) if total else float("nan")
    return Calibration(error, stated, right, count)
