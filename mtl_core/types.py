"""The one result type that training's evaluator, the page and the export all speak.

>>> import numpy as np
>>> boxes = Boxes(np.array([[0, 0, 4, 4]], np.float32), np.array([0.9], np.float32), np.array([0]))
>>> p = Prediction((4, 4), {"pets": ["cat"]}, {"pets": boxes})
>>> p.boxes.names(p.names("boxes"))
['cat']
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, cast, get_args

import numpy as np


class InputError(ValueError):
    """Bad input, described in one sentence that names the file or field and what was expected."""

    def __init__(self, sentence: str = "") -> None:
        # A DataLoader hands on what a worker raised as the text of its traceback.
        if sentence.startswith("Caught ") and "InputError: " in sentence:
            sentence = sentence.rpartition("InputError: ")[2].strip()
        super().__init__(sentence)


Kind = Literal["boxes", "label_map", "bars", "scalar_map"]  # of answers
AcceptanceScore = Literal["max_softmax", "energy"]  # how sure logits are of any class at all
ScoreScale = tuple[float, float]  # slope, above 0, and shift of a score's logit
UNSCALED: ScoreScale = (1.0, 0.0)


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
    kind: ClassVar[Kind] = "boxes"

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
class LabelMap:
    """One class index per pixel.

    Attributes:
        ids: H x W uint8, 0 is the background.
    """

    ids: np.ndarray
    kind: ClassVar[Kind] = "label_map"

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.ids.dtype != np.uint8:
            raise InputError(
                f"LabelMap.ids is {self.ids.dtype} {self.ids.shape}, expected uint8 H x W."
            )


@dataclass(frozen=True)
class Acceptance:
    """From where on an image counts as one of the classes at all.

    Attributes:
        score: name of a score of the logits, see decoding.probabilities.
        least: its least value of an image that is accepted.
    """

    score: AcceptanceScore
    least: float

    def __post_init__(self) -> None:
        known = get_args(AcceptanceScore)
        if self.score not in known:
            raise InputError(f"Acceptance.score is {self.score!r}, expected {' or '.join(known)}.")
        if not math.isfinite(self.least):
            raise InputError(f"Acceptance.least is {self.least}, expected a finite number.")


@dataclass(frozen=True)
class Probabilities:
    """One probability per class.

    Attributes:
        values: C float32 that sum to 1.
        known: False where the image seems to be of none of the classes; None where the network
            was not fitted to say so.
        certainty: the score by which ``known`` was told; None where it was not.
        least: the score's least value of an image that is known.
    """

    values: np.ndarray
    known: bool | None = None
    certainty: float | None = None
    least: float | None = None
    kind: ClassVar[Kind] = "bars"

    def __post_init__(self) -> None:
        if self.values.ndim != 1:
            raise InputError(
                f"Probabilities.values has shape {self.values.shape}, expected one per class."
            )


@dataclass(frozen=True)
class ScalarMap:
    """One number per pixel, such as a depth.

    Attributes:
        values: H x W float32, in the task's own unit.
    """

    values: np.ndarray
    kind: ClassVar[Kind] = "scalar_map"

    def __post_init__(self) -> None:
        if self.values.ndim != 2:
            raise InputError(f"ScalarMap.values has shape {self.values.shape}, expected H x W.")


Part = Boxes | LabelMap | Probabilities | ScalarMap


@dataclass(frozen=True)
class TaskInfo:
    """What a task is called and how its answers are scored and drawn; needs no PyTorch to know.

    Attributes:
        id: short name: configs, records and checkpoints use it.
        metrics: fractions; the first one is what drops are measured in.
        kind: of its answers, by which they are decoded, stored and drawn.
        folder: usual name of its set below a data root.
    """

    id: str
    metrics: tuple[str, ...]
    kind: Kind
    folder: str


@dataclass(frozen=True)
class Prediction:
    """One network's answers for one image.

    Attributes:
        size_hw: height and width of the image as it was given, in pixels.
        class_names: names per task id, in index order.
        parts: answers by task id; a task that was left out has none.
        timings_ms: milliseconds per step of the pass.

    Raises:
        InputError: a part does not fit the image or its task's class names.
    """

    size_hw: tuple[int, int]
    class_names: dict[str, list[str]]
    parts: dict[str, Part] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for task, part in self.parts.items():
            if isinstance(part, LabelMap | ScalarMap):
                found = (part.ids if isinstance(part, LabelMap) else part.values).shape
                expected: tuple[int, ...] = tuple(self.size_hw)
            elif isinstance(part, Probabilities):
                found, expected = part.values.shape, (len(self.class_names.get(task, ())),)
            else:
                continue
            if found != expected:
                raise InputError(
                    f"Prediction.parts[{task!r}] has shape {found}, expected {expected}."
                )

    def of_kind(self, kind: Kind) -> tuple[str, Part] | None:
        """The first task whose answer is of this kind, and that answer; None without one."""
        return next(((t, p) for t, p in self.parts.items() if p.kind == kind), None)

    def names(self, kind: Kind) -> list[str]:
        """The class names of the first task whose answer is of this kind; none without one."""
        found = self.of_kind(kind)
        return self.class_names[found[0]] if found else []

    @property
    def boxes(self) -> Boxes | None:
        """The first task's boxes, or None."""
        found = self.of_kind("boxes")
        return cast(Boxes, found[1]) if found else None

    @property
    def mask(self) -> np.ndarray | None:
        """The first label map, H x W uint8, or None."""
        found = self.of_kind("label_map")
        return cast(LabelMap, found[1]).ids if found else None

    @property
    def probabilities(self) -> np.ndarray | None:
        """The first task's class probabilities, C float32, or None."""
        found = self.of_kind("bars")
        return cast(Probabilities, found[1]).values if found else None

    @property
    def none_of_these(self) -> bool:
        """Whether the image seems to be of none of the classes of the first task's bars."""
        found = self.of_kind("bars")
        return found is not None and cast(Probabilities, found[1]).known is False

    def above(self, score: float) -> Prediction:
        """The same with only the boxes whose score is at least ``score``."""
        parts = {t: p.above(score) if isinstance(p, Boxes) else p for t, p in self.parts.items()}
        return replace(self, parts=parts)

    def only(self, tasks: Iterable[str]) -> Prediction:
        """The same with the answers of these tasks alone."""
        return replace(self, parts={t: p for t, p in self.parts.items() if t in set(tasks)})
