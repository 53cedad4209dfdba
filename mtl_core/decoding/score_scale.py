"""Scores as probabilities: a slope and a shift of a score's logit.

J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999. The map is monotone, so it
changes what a score says and no order of boxes, and with it no average precision.
"""

from __future__ import annotations

import numpy as np

from mtl_core.types import UNSCALED, ScoreScale


def scaled(scores: np.ndarray, scale: ScoreScale) -> np.ndarray:
    """Scores in [0, 1] -> the same shape and type, as probabilities."""
    if scale == UNSCALED:
        return scores
    exact = scores.astype(np.float64)
    with np.errstate(divide="ignore", over="ignore"):
        logits = np.log(exact) - np.log1p(-exact)
        return np.asarray(1 / (1 + np.exp(-scale[0] * logits - scale[1])), scores.dtype)


def unscaled(score: float, scale: ScoreScale) -> float:
    """The score that ``scaled`` turns into the given one, less what a float32 rounds."""
    back = (1 / scale[0], -scale[1] / scale[0])
    return float(scaled(np.array([score]), back)[0]) * (1 - 1e-6) if 0 < score < 1 else score
