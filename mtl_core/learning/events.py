"""What a training says of itself while it runs; a progress bar, a page or a test listens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mtl_core.learning.profile import LapTimes
from mtl_core.metrics.base import Score


@dataclass(frozen=True)
class Begun:
    """The run is checked and about to train.

    Attributes:
        device: ``"cpu"`` or ``"cuda"``.
        threads: of a pass.
        images: per task how many it trains on and is evaluated on.
        weights: where the backbone's first weights came from.
        steps: optimizer steps per stage number that are still to come.
        notes: sentences on what a resumed run found changed.
    """

    device: str
    threads: int
    images: Mapping[str, tuple[int, int]]
    weights: Mapping[str, str]
    steps: Mapping[int, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class StageBegun:
    """A stage begins, or goes on where it was stopped.

    Attributes:
        number: from 1.
        tasks: what it trains; one, unless all are trained together.
        step: optimizer steps done in it before.
        steps: of the whole stage.
        epochs: of the whole stage.
    """

    number: int
    tasks: tuple[str, ...]
    step: int
    steps: int
    epochs: int


@dataclass(frozen=True)
class Step:
    """An optimizer step is done.

    Attributes:
        number: of the stage.
        step: done in this stage.
        epoch: passes over the images done in this stage.
        rate: the highest learning rate of the step.
        terms: running means of the loss's terms by name, on the device; reading one waits for it.
    """

    number: int
    step: int
    epoch: int
    rate: float
    terms: Mapping[str, Tensor]

    def losses(self) -> dict[str, float]:
        """The terms as numbers."""
        return {name: float(value) for name, value in self.terms.items()}


@dataclass(frozen=True)
class Evaluating:
    """Images of an evaluation that are done, of how many."""

    task: str
    done: int
    total: int


@dataclass(frozen=True)
class Evaluated:
    """A task was scored.

    Attributes:
        number: of the stage.
        step: optimizer steps done in it.
        epoch: epochs done in it.
        task: its id.
        scope: ``"stage"`` for the whole split after a stage, ``"subset"`` for a part of it inside.
        score: what was found.
    """

    number: int
    step: int
    epoch: int
    task: str
    scope: str
    score: Score


@dataclass(frozen=True)
class StageEnded:
    """A stage is done and its checkpoint written."""

    number: int
    tasks: tuple[str, ...]
    seconds: float
    laps: LapTimes


@dataclass(frozen=True)
class Stopped:
    """The training was asked to stop and has saved where it goes on."""

    number: int
    step: int


Event = Begun | StageBegun | Step | Evaluating | Evaluated | StageEnded | Stopped


def reached(number: int, tasks: Any, step: int, steps: int) -> str:
    """How far a stage is, in words."""
    return f"stage {number} ({', '.join(tasks)}), step {step} of {steps}"
