"""Channels set aside for later tasks: earlier outputs stay bit for bit what they were.

After A. Rusu et al., "Progressive Neural Networks", 2016: every task has columns of its own, which
may read earlier columns (the lateral connections of eq. 2) while earlier ones never read later
ones, and whose weights are frozen once the task is trained. Deviations: the columns are not added
but divided among the channels that neck and head have anyway, as A. Mallya, S. Lazebnik, "PackNet",
CVPR 2018, divides the weights of one network, so that every method has the same network and cost;
there are no adapters; and after the first stage the backbone stands still.

Why a drop is zero by construction: a weight from a later column to an earlier one is zero from the
first stage on, and zero times a finite number adds nothing to a sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from mtl_core.config import StageConfig
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.retention.base import Retention, StageContext

FIRST_SHARE = 0.5  # of the channels for the first task; the later ones share the rest equally


class Progressive(Retention):
    """Moves only the columns of the task being trained."""

    constants: ClassVar[Mapping[str, float]] = {"first_share": FIRST_SHARE}

    own_start = True  # channels are divided from the first stage on

    def __init__(self) -> None:
        self.moves: dict[str, Tensor] = {}  # parameter -> which entries this stage may move
        self.kept: dict[str, Tensor] = {}  # parameter -> all entries as the stage found them
        self.parameters: dict[str, torch.nn.Parameter] = {}

    def settings(self, stage: StageConfig, earlier: list[str]) -> StageConfig:
        """The backbone stands still once a task relies on it."""
        stage = super().settings(stage, earlier)
        return replace(stage, lr_old=0.0, lr_backbone=0.0 if earlier else stage.lr_backbone)

    def before_stage(self, context: StageContext) -> None:
        """Cut what would read a later column, and hold what is not this task's own."""
        network, number = context.network, len(context.earlier)
        self.parameters, self.moves, self.kept = {}, {}, {}
        for name, parameter in network.named_parameters():
            if name.startswith("backbone."):
                continue
            owner, allowed = columns(network, name, parameter)
            if not number:
                parameter.data.mul_(allowed)
            moves = (owner == number) & allowed
            self.parameters[name] = parameter
            self.moves[name], self.kept[name] = moves, parameter.detach().clone()

    def after_step(self) -> None:
        """Put back what is not this task's own."""
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(torch.where(self.moves[name], parameter, self.kept[name]))


def column_of(channels: int, tasks: int) -> Tensor:
    """The task that owns each of C channels: C int64, ascending."""
    first = channels if tasks == 1 else round(channels * FIRST_SHARE)
    rest = torch.arange(channels - first) * (tasks - 1) // max(1, channels - first)
    return torch.cat([torch.zeros(first, dtype=torch.int64), 1 + rest])


def columns(network: UnifiedVisionSystem, name: str, parameter: Tensor) -> tuple[Tensor, Tensor]:
    """Whose a parameter's entries are, and which of them may differ from zero.

    Returns:
        The owning task's number per entry, and a mask that is False where an earlier column would
        read a later one; both of the parameter's shape.
    """
    tasks = list(network.tasks)
    named = [task for task in tasks if task in name.split(".")]
    shape = parameter.shape
    everything = torch.ones(shape, dtype=torch.bool, device=parameter.device)
    if name == "neck.fusion":  # the levels' weights, which all channels share
        return torch.zeros(shape, dtype=torch.int64, device=parameter.device), everything
    if named:
        number = tasks.index(named[0])
        owner = torch.full(shape, number, device=parameter.device)
        if name.startswith("head.output.weights"):
            readable = column_of(shape[1], len(tasks)).to(parameter.device) <= number
            return owner, everything & readable
        return owner, everything
    out = column_of(shape[0], len(tasks)).to(parameter.device)
    owner = out.view(-1, *[1] * (parameter.ndim - 1)).expand(shape)
    reads_channels = parameter.ndim > 1 and not name.startswith("neck.laterals") and shape[1] > 1
    if not reads_channels:  # vectors, depthwise filters, and what reads only the backbone
        return owner, everything
    read = column_of(shape[1], len(tasks)).to(parameter.device)
    allowed = (read <= out[:, None]).view(*shape[:2], *[1] * (parameter.ndim - 2))
    return owner, everything & allowed
