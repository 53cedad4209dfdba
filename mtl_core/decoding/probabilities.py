"""Class probabilities from logits, in NumPy."""

from __future__ import annotations

import numpy as np

from mtl_core.types import Probabilities


def probabilities_of(logits: np.ndarray) -> Probabilities:
    """C logits -> C float32 probabilities."""
    powers = np.exp(logits - logits.max())
    return Probabilities((powers / powers.sum()).astype(np.float32))
