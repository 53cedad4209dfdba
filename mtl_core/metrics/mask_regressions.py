"""Pixels that were right before and are wrong after."""

from __future__ import annotations

import numpy as np

from mtl_core.data.splits import VOID

SHARE = 0.005  # of an image's pixels; less of a kind or a class is left out


def mask_losses(
    truth: np.ndarray, before: np.ndarray, after: np.ndarray
) -> tuple[float, dict[str, float], list[int]]:
    """Loss, kinds and true classes from three H x W masks of class indices, 255 void in truth."""
    valid = truth != VOID
    pixels = max(1, int(valid.sum()))
    broken = valid & (before == truth) & (after != truth)
    found = {
        "mask eaten": broken & (truth > 0) & (after == 0),
        "mask flooded": broken & (truth == 0),
        "wrong class": broken & (truth > 0) & (after > 0),
    }
    kinds = {kind: float(where.sum() / pixels) for kind, where in found.items()}
    counts = np.bincount(truth[broken], minlength=1)
    classes = [int(c) for c in np.flatnonzero(counts >= SHARE * pixels)]
    kinds = {kind: round(share, 5) for kind, share in kinds.items() if share >= SHARE}
    return float(broken.sum() / pixels), kinds, classes
