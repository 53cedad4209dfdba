"""Checkpoints: one safetensors file that is enough by itself.

The header's metadata holds the model's config, the class names, the stage and the tasks trained, as
JSON strings; nothing in a checkpoint is ever executed.
"""

from __future__ import annotations

from pathlib import Path

import torch

from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.runs.checkpoint import CheckpointInfo, read_header, read_weights, write_checkpoint
from mtl_core.tasks import TASKS, build_tasks
from mtl_core.types import UNSCALED, InputError


def save_checkpoint(
    path: Path, network: UnifiedVisionSystem, stage: int, trained: list[str]
) -> None:
    """Write float16 weights and the header, under a temporary name first."""
    state = {
        name: (value.half() if value.is_floating_point() else value).contiguous().cpu().numpy()
        for name, value in network.state_dict().items()
    }
    write_checkpoint(path, state, header_of(network, stage, trained))


def header_of(network: UnifiedVisionSystem, stage: int, trained: list[str]) -> CheckpointInfo:
    """What a checkpoint of the network would say of itself."""
    names = {t: k.class_names for t, k in network.tasks.items()}
    kinds = {t: k.info.kind for t, k in network.tasks.items()}
    scales = {t: k.score_scale for t, k in network.tasks.items() if k.score_scale != UNSCALED}
    accepts = {t: k.acceptance for t, k in network.tasks.items() if k.acceptance is not None}
    return CheckpointInfo(network.config, names, stage, trained, kinds, scales, accepts)


def read_info(path: Path) -> CheckpointInfo:
    """Read only the header.

    Raises:
        InputError: the file is missing, damaged or not one of ours.
    """
    info = read_header(path)
    unknown = [task for task in info.class_names if task not in TASKS]
    if unknown:
        raise InputError(f"{path} holds the task {unknown[0]!r}, expected some of {list(TASKS)}.")
    return info


def load_network(path: Path) -> tuple[UnifiedVisionSystem, CheckpointInfo]:
    """Build the network of a checkpoint in float32, in eval mode.

    Raises:
        InputError: as read_info, or the weights do not fit the header.
    """
    info = read_info(path)
    network = UnifiedVisionSystem(info.model, build_tasks(info.class_names))
    for task, scale in info.score_scales.items():
        network.tasks[task].score_scale = scale
    for task, acceptance in info.accepts.items():
        network.tasks[task].acceptance = acceptance
    state = {name: torch.from_numpy(value) for name, value in read_weights(path).items()}
    for name, own in network.state_dict().items():
        if name in state and state[name].is_floating_point() != own.is_floating_point():
            raise InputError(f"{path} holds weights that do not fit its own header.")
    try:
        network.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
        )
    except RuntimeError as error:  # missing keys, other shapes
        raise InputError(f"{path} holds weights that do not fit its own header.") from error
    if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
        raise InputError(f"{path} holds weights that are not finite.")
    network.freeze_norms()
    return network.eval(), info
