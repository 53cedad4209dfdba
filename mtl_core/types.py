"""The one result type that training's evaluator, the page and the export all speak.

>>> import numpy as np
>>> boxes = Boxes(np.array([[0, 0, 4, 4]], np.float32), np.array([0.9], np.float32), np.array([0]))
>>> p = Prediction((4, 4), {"det": ["cat"]}, boxes=boxes)
>>> p.boxes.names(p.class_names["det"])
['cat']
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


class InputError(ValueError):
    """Bad input, told in one sentence that names the file or field and what was expected."""


@dataclass(frozen=True)
class Boxes:
    """Detections of one image, best score first.

    Attributes:
        xyxy: N x 4 float32, left, top, right, bottom in pixels of the original image.
        scores: N float32 in [0, 1].
        labels: N integers, indices into the detection class names.
    """

    xyxy: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.scores)
        for name, array, expected in (
            ("xyxy", self.xyxy, (n, 4)),
            ("scores", self.scores, (n,)),
            ("labels", self.labels, (n,)),
        ):
            if tuple(array.shape) != expected:
                raise InputError(
                    f"Boxes.{name} has shape {tuple(array.shape)}, expected {expected}."
                )

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, score: float) -> Boxes:
        """The boxes whose score is at least ``score``."""
        keep = self.scores >= score
        return Boxes(self.xyxy[keep], self.scores[keep], self.labels[keep])

    def names(self, class_names: list[str]) -> list[str]:
        """The class name of every box."""
        return [class_names[int(i)] for i in self.labels]

    @staticmethod
    def empty() -> Boxes:
        """No boxes at all."""
        return Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))


@dataclass(frozen=True)
class Prediction:
    """What one network says of one image.

    Attributes:
        size_hw: height and width of the original image, in pixels.
        class_names: names per task id (``"seg"``, ``"det"``, ``"cls"``), in index order.
        boxes: detections, or None where the network has no such task.
        mask: H x W uint8 class index per original pixel (0 is background), or None.
        probabilities: C float32 that sum to 1, or None.
        timings_ms: milliseconds per part of the pass.
    """

    size_hw: tuple[int, int]
    class_names: dict[str, list[str]]
    boxes: Boxes | None = None
    mask: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mask is not None and (
            self.mask.shape != tuple(self.size_hw) or self.mask.dtype != np.uint8
        ):
            raise InputError(
                f"Prediction.mask is {self.mask.dtype} {self.mask.shape}, "
                f"expected uint8 {tuple(self.size_hw)}."
            )
        if self.probabilities is not None:
            expected = (len(self.class_names.get("cls", ())),)
            if self.probabilities.shape != expected:
                raise InputError(
                    f"Prediction.probabilities has shape {self.probabilities.shape}, "
                    f"expected {expected}, one for each class name."
                )
