"""A way not to forget: an object with three moments, so that a new one is one file."""

from __future__ import annotations

from torch import Tensor

from mtl_core.config import StageConfig
from mtl_core.model.network import Outputs, UnifiedVisionSystem


class Retention:
    """What every method may do; this one does nothing.

    The loop calls the moments in this order: ``before_stage`` once, ``loss`` per batch,
    ``after_stage`` once.
    """

    def before_stage(
        self, network: UnifiedVisionSystem, stage: StageConfig, earlier: list[str]
    ) -> None:
        """The network as the stage finds it; ``earlier`` are the task ids taught so far."""

    def loss(self, cut: list[Tensor], outputs: Outputs) -> dict[str, Tensor]:
        """Named terms added to the new task's loss.

        Args:
            cut: what the frozen half of the trunk gave for the batch, shared with any teacher.
            outputs: the student's pass over the same batch.
        """
        return {}

    def after_stage(self, network: UnifiedVisionSystem) -> None:
        """The network as the stage leaves it."""
