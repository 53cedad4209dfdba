"""The seam that keeps the network, the loop and the page from knowing about boxes or masks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn

from mtl_core.data.letterbox import Placement
from mtl_core.data.splits import Split
from mtl_core.decoding import decode
from mtl_core.metrics.base import Meter
from mtl_core.types import UNSCALED, Acceptance, Part, Prediction, ScoreScale, TaskInfo


class Task(ABC):
    """One of the questions that the network answers.

    Args:
        class_names: in index order; they come from the data.
    """

    info: ClassVar[TaskInfo]
    joins_images: ClassVar[bool] = False  # whether a mosaic of four images makes sense

    def __init__(self, class_names: list[str]) -> None:
        self.class_names = list(class_names)
        self.score_scale: ScoreScale = UNSCALED  # of boxes; a calibrated checkpoint brings its own
        self.acceptance: Acceptance | None = None  # of bars; a checkpoint that was fitted brings it

    @property
    def id(self) -> str:
        """The task's short name."""
        return self.info.id

    @staticmethod
    @abstractmethod
    def read_split(root: Path, name: str) -> Split:
        """The images and labels of a split; pixels are not decoded.

        Args:
            root: of the task's set, with a folder per split.
            name: a folder name, such as ``"val"``.

        Raises:
            InputError: anything is missing, unlisted, ambiguous or malformed.
        """

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

        The backbone's maps leave out that convolution, which pretraining made to separate
        classes.
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
    def classes(item: Any) -> set[int]:
        """The data's class indices that an item is known to show before it is read."""
        return set()

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

    def decode(self, raw: np.ndarray, box: Placement) -> Part:
        """One image's raw float32 output (no batch axis) -> the answer in the image's own frame."""
        return decode(self.info.kind, raw, box, scale=self.score_scale, acceptance=self.acceptance)

    @abstractmethod
    def meter(self, split: Split) -> Meter:
        """A fresh meter for a split whose class names were matched to this task's."""

    def floor(self, split: Split) -> tuple[str, float]:
        """A metric, and the least value of it that counts as learned; 0 where none is known."""
        return self.info.metrics[0], 0.0

    @staticmethod
    def losses(
        truth: Any, to_model: np.ndarray, before: Prediction, after: Prediction
    ) -> tuple[float, dict[str, float], list[int]]:
        """What of one image was right before and is wrong after; nothing by default.

        Args:
            truth: what ``read`` gave.
            to_model: the network's class index for every class of the data.
            before: the prediction after an earlier stage.
            after: the prediction after a later one.

        Returns:
            The loss 0 to 1, how much of each kind, and the network's indices of the true classes.
        """
        return 0.0, {}, []
