"""What every metric gives: a meter that collects answers, and its score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mtl_core.types import InputError, Prediction


@dataclass
class Score:
    """What a meter found.

    Attributes:
        values: metric name -> fraction.
        per_class: metric of the first name in ``values`` per class name; absent classes left out.
        n: images measured.
    """

    values: dict[str, float]
    per_class: dict[str, float] = field(default_factory=dict)
    n: int = 0


class Meter(ABC):
    """Collects predictions of one split and scores them."""

    @abstractmethod
    def add(self, prediction: Prediction, item: Any) -> None:
        """Take one image's prediction beside its annotated item."""

    @abstractmethod
    def score(self) -> Score:
        """The score of all that was added."""

    def resampled(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """The scores of other samples of the images that were added.

        Args:
            counts: R x n, how often each image stands in each of R samples, in the order in
                which they were added.

        Returns:
            Per metric R scores, NaN where a sample has none.

        Raises:
            InputError: this metric cannot be resampled.
        """
        raise InputError(f"{type(self).__name__} cannot score resampled images.")

    def answers(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Stated probabilities N in 0..1 and whether each came true, N bool; None without any."""
        return None
