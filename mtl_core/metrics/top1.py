"""Top-1 accuracy."""

from __future__ import annotations

import numpy as np

from mtl_core.metrics.matching import data_to_model
from mtl_core.tasks.base import Meter, Score
from mtl_core.types import Prediction


class ClassificationMeter(Meter):
    """The share of pictures whose most probable class is the annotated one.

    Args:
        model_names: the network's classes.
        data_names: the split's classes; matched by name.
    """

    def __init__(self, model_names: list[str], data_names: list[str]) -> None:
        self.names = model_names
        self.to_model = data_to_model(model_names, data_names, "classification")
        self.right = np.zeros(len(model_names), np.int64)
        self.seen = np.zeros(len(model_names), np.int64)

    def add(self, prediction: Prediction, item: int) -> None:
        """A prediction beside its annotated label, in the data's indices."""
        assert prediction.probabilities is not None
        label = int(self.to_model[item])
        self.seen[label] += 1
        self.right[label] += int(prediction.probabilities.argmax() == label)

    def score(self) -> Score:
        """top1, and the share per class that occurs."""
        n = int(self.seen.sum())
        per_class = {
            name: float(self.right[i] / self.seen[i])
            for i, name in enumerate(self.names)
            if self.seen[i]
        }
        return Score({"top1": float(self.right.sum() / n) if n else 0.0}, per_class, n)
