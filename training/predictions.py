"""Raw validation predictions of a stage, kept so that any metric can be computed later."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core.types import Prediction


class PredictionFile:
    """Collects one task's predictions of one stage and writes them as a compressed .npz.

    Keys are ``<picture stem>/<part>``: ``mask`` (H x W uint8), ``boxes`` (N x 6 float32: xyxy in
    original pixels, score, label) or ``probabilities`` (C float32).
    """

    def __init__(self, folder: Path, stage: int, task: str) -> None:
        self.path = folder / f"stage{stage}_{task}.npz"
        self.arrays: dict[str, Any] = {}

    def add(self, item: Any, prediction: Prediction) -> None:
        """Take one picture's prediction."""
        stem = item.picture.stem
        if prediction.mask is not None:
            self.arrays[f"{stem}/mask"] = prediction.mask
        if prediction.boxes is not None:
            b = prediction.boxes
            columns = [b.xyxy, b.scores[:, None], b.labels[:, None]]
            self.arrays[f"{stem}/boxes"] = np.concatenate(columns, 1).astype(np.float32)
        if prediction.probabilities is not None:
            self.arrays[f"{stem}/probabilities"] = prediction.probabilities

    def write(self) -> None:
        """Write the file under a temporary name, then move it into place."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".part.npz")
        np.savez_compressed(temporary, **self.arrays)
        os.replace(temporary, self.path)
