"""Class probabilities from logits, in NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mtl_core.types import Acceptance, AcceptanceScore, Probabilities


def energy(logits: np.ndarray) -> float:
    """Log of the sum of the exponentials: the negative energy of W. Liu et al., NeurIPS 2020,
    eq. 4, at temperature 1.
    """
    most = logits.max()
    return float(most + np.log(np.exp(logits - most).sum()))


def max_softmax(logits: np.ndarray) -> float:
    """The largest probability: D. Hendrycks, K. Gimpel, ICLR 2017."""
    return float(np.exp(logits.max() - energy(logits)))


# By name how sure logits (C float32) are that an image is of one of the classes at all.
ACCEPTANCE_SCORES: dict[AcceptanceScore, Callable[[np.ndarray], float]] = {
    "max_softmax": max_softmax,
    "energy": energy,
}


def probabilities_of(logits: np.ndarray, acceptance: Acceptance | None = None) -> Probabilities:
    """C logits -> C float32 probabilities.

    Args:
        logits: float32.
        acceptance: from where on an image counts as one of the classes; None does not judge that.
    """
    powers = np.exp(logits - logits.max())
    values = (powers / powers.sum()).astype(np.float32)
    if acceptance is None:
        return Probabilities(values)
    certainty = ACCEPTANCE_SCORES[acceptance.score](logits)
    return Probabilities(values, certainty >= acceptance.least, certainty, acceptance.least)
