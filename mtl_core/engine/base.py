"""What every engine can do: answer for one network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from mtl_core.data.letterbox import Placement
from mtl_core.decoding import decode
from mtl_core.runs.checkpoint import CheckpointInfo
from mtl_core.types import Part, Prediction

FEATURES = ("p3", "p4", "p5", "neck", "head")


class Engine(Protocol):
    """One network, ready to predict.

    Attributes:
        path: the checkpoint's file; None for a network in memory.
        info: what its header says, or would say.
    """

    info: CheckpointInfo

    @property
    def path(self) -> Path | None: ...  # noqa: D102

    def predict(self, image: np.ndarray, score_threshold: float = 0.05) -> Prediction:
        """All tasks of one image in one pass.

        Args:
            image: H x W x 3 uint8 RGB.
            score_threshold: boxes below this score are left out.

        Raises:
            InputError: the array is not an RGB image.
        """
        ...

    def features(self, image: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Inner maps of one image, C x h x w float32 by name, over the network's whole input.

        The engine in PyTorch has them; onnxruntime's graphs leave them out, because every further
        output of a graph keeps its operators from being fused.

        Args:
            image: H x W x 3 uint8 RGB.
            names: some of ``FEATURES``: the backbone's maps ``p3``, ``p4`` and ``p5`` at strides
                8, 16 and 32, the neck's map ``neck`` and the head's shared map ``head``, both at
                stride 8.

        Raises:
            InputError: the array is not an RGB image, a name is unknown, or the engine has no
                inner maps.
        """
        ...


def decoded(
    info: CheckpointInfo, task: str, raw: np.ndarray, box: Placement, score_threshold: float
) -> Part:
    """One task's raw output of one image as its checkpoint says that it is to be read."""
    scale, acceptance = info.score_scale(task), info.accepts.get(task)
    return decode(info.kinds[task], raw, box, score_threshold, scale, acceptance)
