"""What every engine can do: answer for one checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from mtl_core.runs.checkpoint import CheckpointInfo
from mtl_core.types import Prediction


class Engine(Protocol):
    """One checkpoint, ready to predict.

    Attributes:
        path: the checkpoint's file.
        info: what its header says.
    """

    path: Path
    info: CheckpointInfo

    def predict(self, image: np.ndarray, score_threshold: float = 0.05) -> Prediction:
        """All tasks of one image in one pass.

        Args:
            image: H x W x 3 uint8 RGB.
            score_threshold: boxes below this score are left out.

        Raises:
            InputError: the array is not an RGB image.
        """
        ...
