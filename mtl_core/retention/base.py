"""A way not to forget: an object with a few moments, so that a new one is one file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from torch import Tensor

from mtl_core.config import StageConfig
from mtl_core.data.datasets import TrainingSet
from mtl_core.model.network import Outputs, UnifiedVisionSystem


@dataclass(frozen=True)
class StageContext:
    """What a method is given at the borders of a stage.

    Attributes:
        network: as the stage finds it, or as it leaves it.
        stage: the stage's settings.
        earlier: ids of the tasks trained before this stage.
        stages: training images per task; reading an earlier task's is for the methods that
            keep images.
        frozen: the frozen half of the backbone, N x 3 x H x W -> maps; None runs the network's own.
    """

    network: UnifiedVisionSystem
    stage: StageConfig
    earlier: list[str] = field(default_factory=list)
    train_sets: Mapping[str, TrainingSet] = field(default_factory=dict)
    frozen: Callable[[Tensor], list[Tensor]] | None = None

    def cut(self, pixels: Tensor) -> list[Tensor]:
        """Normalised pixels -> the maps from which the moving half goes on."""
        return (self.frozen or self.network.backbone.frozen)(pixels)


class Retention:
    """What every method may do; this one does nothing.

    One object lives through a run. The loop calls ``settings`` and ``before_stage`` once a stage,
    ``loss`` and ``after_step`` per batch, ``after_stage`` once a stage.
    """

    together = False  # train all stages at once, as the upper bound does
    constants: ClassVar[Mapping[str, float]] = {}  # its numbers that no config names, for run.json
    own_start = False  # its first stage differs from that of other methods, or it has none

    def settings(self, stage: StageConfig, earlier: list[str]) -> StageConfig:
        """The stage as this method needs it; by default without what only distillation reads."""
        return replace(stage, distill={}, distill_neck=0.0)

    def before_stage(self, context: StageContext) -> None:
        """The network as the stage finds it."""

    def loss(self, cut: list[Tensor], outputs: Outputs, step: int = 0) -> dict[str, Tensor]:
        """Named terms added to the new task's loss, each times the run's ``strength``.

        Args:
            cut: what the frozen half of the backbone gave for the batch, shared with any teacher.
            outputs: the student's pass over the same batch.
            step: optimizer steps done in this stage.
        """
        return {}

    def after_step(self) -> None:
        """The network right after an optimizer step."""

    def after_stage(self, context: StageContext) -> None:
        """The network as the stage leaves it."""

    def state_dict(self) -> dict[str, Any]:
        """What later stages need, as tensors and plain values, for a run that is resumed."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of state_dict."""
