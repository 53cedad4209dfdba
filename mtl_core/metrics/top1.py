"""Top-1 accuracy."""

from __future__ import annotations

import numpy as np

from mtl_core.metrics.base import Meter, Score
from mtl_core.metrics.class_mapping import data_to_model
from mtl_core.types import Prediction


class ClassificationMeter(Meter):
    """The share of images whose most probable class is the annotated one.

    Args:
        model_names: the network's classes.
        data_names: the split's classes; matched by name.
    """

    def __init__(self, model_names: list[str], data_names: list[str]) -> None:
        self.names = model_names
        self.to_model = data_to_model(model_names, data_names, "classification")
        self.labels: list[int] = []  # per image, the annotated class
        self.probabilities: list[np.ndarray] = []  # per image, of all classes

    def add(self, prediction: Prediction, item: int) -> None:
        """A prediction beside its annotated label, in the data's indices."""
        assert prediction.probabilities is not None
        self.labels.append(int(self.to_model[item]))
        self.probabilities.append(prediction.probabilities)

    @property
    def right(self) -> np.ndarray:
        """Per image whether the first choice is the annotated class, n bool."""
        choices = [int(p.argmax()) for p in self.probabilities]
        return np.equal(choices, self.labels)

    def score(self) -> Score:
        """top1, and the share per class that occurs."""
        right, labels = self.right, np.array(self.labels, int)
        per_class = {
            name: float(right[labels == i].mean())
            for i, name in enumerate(self.names)
            if (labels == i).any()
        }
        return Score({"top1": float(right.mean()) if len(right) else 0.0}, per_class, len(right))

    def answers(self) -> tuple[np.ndarray, np.ndarray]:
        """The first choices' probabilities, and whether they are right."""
        return np.array([p.max() for p in self.probabilities]), self.right

    def resampled(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """See Meter.resampled."""
        return {"top1": counts @ self.right / counts.sum(1)}
