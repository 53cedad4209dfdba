"""What the recipe is made of against forgetting, and the recipe without one of its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mtl_core.config import RunConfig, StageConfig
from mtl_core.retention import METHODS
from mtl_core.tasks import TASKS
from mtl_core.types import InputError, Kind

Change = Callable[[StageConfig, RunConfig], StageConfig]


def _resting_backbone(stage: StageConfig, config: RunConfig) -> StageConfig:
    return replace(stage, lr_backbone=config.stages[0].lr_backbone)


def _slow_layers(stage: StageConfig, config: RunConfig) -> StageConfig:
    return replace(stage, lr_shared=config.stages[0].lr_shared)


def _not_distilled(kind: Kind) -> Change:
    """No task whose answers are of this kind is distilled."""

    def change(stage: StageConfig, config: RunConfig) -> StageConfig:
        kept = {t: w for t, w in stage.distill.items() if TASKS.infos[t].kind != kind}
        return replace(stage, distill=kept)

    return change


def _neck(stage: StageConfig, config: RunConfig) -> StageConfig:
    return replace(stage, distill_neck=0.0)


# What a later stage is without a part. The first stage has nothing to keep.
PARTS: dict[str, Change] = {
    "backbone": _resting_backbone,  # the backbone moves as it does in the first stage
    "slow": _slow_layers,  # shared layers move as fast as in the first stage
    "masks": _not_distilled("label_map"),  # segmentation is not distilled
    "boxes": _not_distilled("boxes"),  # detection is not distilled
    "neck": _neck,  # the neck's features are not distilled
}


def parts_of(config: RunConfig) -> list[str]:
    """The parts that a config has."""
    return [part for part in PARTS if _later(config, part) != config.stages[1:]]


def _later(config: RunConfig, part: str) -> tuple[StageConfig, ...]:
    return tuple(PARTS[part](stage, config) for stage in config.stages[1:])


def without(config: RunConfig, part: str) -> RunConfig:
    """A run's config without one part of what keeps earlier tasks.

    Raises:
        InputError: there is no such part, or the config has none of it to leave out.
    """
    if part not in PARTS:
        raise InputError(f"--without {part}: expected one of {', '.join(PARTS)}.")
    later = _later(config, part)
    if later == config.stages[1:]:
        raise InputError(f"--without {part}: preset {config.preset} has no such part.")
    # A method may itself ignore a part of the recipe.
    method = METHODS[config.method]()
    if all(
        method.settings(a, ["earlier"]) == method.settings(b, ["earlier"])
        for a, b in zip(later, config.stages[1:], strict=True)
    ):
        raise InputError(f"--without {part}: method {config.method} has no such part.")
    return replace(config, stages=(config.stages[0], *later))
