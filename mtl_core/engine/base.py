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

    def predict(self, picture: np.ndarray, score_threshold: float = 0.05) -> Prediction:
        """All tasks of one picture in one pass.

        Args:
            picture: H x W x 3 uint8 RGB.
            score_threshold: boxes below this score are left out.

        Raises:
            InputError: the array is not an RGB picture.
        """
        ...
