"""All tasks at once: the upper bound, which forgets nothing because nothing comes later.

It sees every task's images as often as the stages would, times the config's ``joint_epochs``, in
mixed order. Rates are those of the first stage, which moves the backbone and all else, times
``joint_lr``: what is best where tasks compete in every step need not be what is best for one alone.
"""

from __future__ import annotations

from dataclasses import replace

from mtl_core.config import RunConfig, StageConfig
from mtl_core.retention.base import Retention


class Joint(Retention):
    """One stage in which every batch may be of any task."""

    together = True
    own_start = True

    def stages(self, config: RunConfig) -> tuple[StageConfig, ...]:
        """Epochs and rates times the config's own factors for this method."""
        return tuple(
            replace(
                stage,
                epochs=max(1, round(stage.epochs * config.joint_epochs)),
                lr=stage.lr * config.joint_lr,
            )
            for stage in config.stages
        )
