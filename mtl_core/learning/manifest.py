"""What run.json says of a run."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, replace
from typing import Any

import torch

from mtl_core.config import RunConfig
from mtl_core.learning.hardware import versions
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.retention import Retention
from mtl_core.tasks import TASKS

RATES = ("lr", "lr_backbone", "lr_shared", "lr_old")  # the first stage's, where all are one


def stages_as_trained(config: RunConfig, retention: Retention) -> list[dict[str, Any]]:
    """Each stage's settings as the method changed them; the config holds the preset's."""
    tasks = [stage.task for stage in config.stages]
    if not retention.together:
        return [
            asdict(retention.settings(stage, tasks[:number]))
            for number, stage in enumerate(config.stages)
        ]
    settings = [retention.settings(stage, []) for stage in config.stages]
    rates = {name: getattr(settings[0], name) for name in RATES}
    return [asdict(replace(stage, **rates)) for stage in settings]


def hardware(network: UnifiedVisionSystem) -> dict[str, Any]:
    """What the network is trained on now."""
    device = next(network.parameters()).device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return {
        "machine": platform.machine(),
        "device": device.type + (f", {name}" if name else ""),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def manifest(
    config: RunConfig, network: UnifiedVisionSystem, retention: Retention
) -> dict[str, Any]:
    """What stays as it is while a run is trained, but for its sources."""
    counts = network.parameter_counts()
    return {
        "config": config.to_dict(),
        "stages_as_trained": stages_as_trained(config, retention),
        "method_constants": dict(retention.constants),
        "class_names": {t: k.class_names for t, k in network.tasks.items()},
        "tasks": {t: asdict(TASKS.infos[t]) for t in network.tasks},
        "versions": versions(),
        "seed": config.seed,
        "hardware": hardware(network),
        "parameters": counts | {"total": sum(counts.values())},
    }
