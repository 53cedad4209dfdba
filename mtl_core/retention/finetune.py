"""Nothing against forgetting: the lower bound that every method is measured against."""

from __future__ import annotations

from dataclasses import replace

from mtl_core.config import StageConfig
from mtl_core.retention.base import Retention

FREE_BACKBONE = 0.1  # least rate factor of the backbone


class Finetune(Retention):
    """Train on the new task, and only on it; batch norm stands still, as for all methods."""

    def settings(self, stage: StageConfig, earlier: list[str]) -> StageConfig:
        """A recipe's slow shared layers and resting backbone spare the old; here nothing does."""
        stage = super().settings(stage, earlier)
        if not earlier:
            return stage
        return replace(
            stage,
            lr_backbone=max(stage.lr_backbone, FREE_BACKBONE),
            lr_shared=max(stage.lr_shared, 1.0),
        )
