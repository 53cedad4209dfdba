"""The seam that keeps the network, the loop and the page from knowing about boxes or masks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor, nn

from mtl_core.data.letterbox import Placement
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


class Task(ABC):
    """One of the questions that the network answers.

    Args:
        class_names: in index order; they come from the data.
    """

    id: str  # short name: config, records and checkpoints use it
    metrics: tuple[str, ...]  # the first one is what drops are measured in

    def __init__(self, class_names: list[str]) -> None:
        self.class_names = list(class_names)

    @property
    @abstractmethod
    def channels(self) -> int:
        """Channels of the task's slice of the output layer."""

    @abstractmethod
    def build_readout(self, context_channels: int) -> nn.Module:
        """A module (slice N x channels x H x W, P5 N x context x H' x W') -> raw output."""

    def take_over(self, readout: nn.Module, weight: Tensor, bias: Tensor) -> None:  # noqa: B027
        """Start a readout from the backbone's last convolution (C' x context x 1 x 1); not by
        default.

        The backbone's maps leave out that convolution, which pretraining made for telling classes
        apart.
        """

    def initialise(self, weight: nn.Parameter, bias: nn.Parameter) -> None:  # noqa: B027
        """Set the slice's first weights (channels x C) and bias in place; kept by default."""

    @staticmethod
    @abstractmethod
    def read(item: Any, split: Any) -> tuple[np.ndarray, Any]:
        """One annotated item's pixels (H x W x 3 uint8) and its truth, as the meter takes it.

        Raises:
            InputError: a file is missing or damaged, or fits its label in no way.
        """

    @staticmethod
    @abstractmethod
    def labels(truth: Any, to_model: Tensor, size_hw: tuple[int, int]) -> dict[str, Any]:
        """The truth as tv_tensors and plain values, which random views move with the pixels.

        Args:
            truth: what ``read`` gave.
            to_model: the network's class index for every class of the data.
            size_hw: of the image, pixels.
        """

    @staticmethod
    @abstractmethod
    def target(view: dict[str, Any]) -> Any:
        """What ``collate`` takes, from a random view's labels."""

    @abstractmethod
    def collate(self, targets: list[Any]) -> Any:
        """The targets of a batch, as ``loss`` takes them."""

    @abstractmethod
    def loss(self, raw: Tensor, targets: Any) -> dict[str, Tensor]:
        """Named terms of order one each, to be summed."""

    @abstractmethod
    def distill(
        self, raw: Tensor, teacher_raw: Tensor, temperature: float, logits_only: bool = False
    ) -> Tensor:
        """How far the raw output is from a teacher's on the same images; zero when equal.

        Args:
            raw: the student's raw output.
            teacher_raw: the teacher's, of the same shape.
            temperature: softens the distributions over classes before they are compared.
            logits_only: leave out what is no logit, such as coordinates.
        """

    @abstractmethod
    def decode(self, raw: np.ndarray, box: Placement) -> dict[str, Any]:
        """One image's raw float32 output (no batch axis) -> its fields of Prediction."""

    @abstractmethod
    def meter(self, split: Any) -> Meter:
        """A fresh meter for a split whose class names were matched to this task's."""
