"""Rehearsal: a few kept images of earlier tasks are trained again beside the new ones.

A. Chaudhry et al., "On Tiny Episodic Memories in Continual Learning", 2019 (experience replay,
algorithm 1), with annotated images and their own task's loss. The memory holds ten images
spread evenly over the task's training list; none is chosen by what the network makes of it. Every
step rehearses one earlier task, in turn. The stage's own rates apply, and with them a backbone that
stands still where the stage says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from mtl_core.data.datasets import TrainingSet, to_device
from mtl_core.data.tensor_input import normalise
from mtl_core.model.network import Outputs
from mtl_core.retention.base import Retention, StageContext

MEMORY = 10  # images kept of each earlier task
REHEARSED = 4  # of them in a step


class Replay(Retention):
    """Ten annotated images of each earlier task."""

    constants: ClassVar[Mapping[str, float]] = {"memory": MEMORY, "rehearsed": REHEARSED}

    def __init__(self) -> None:
        self.memory: dict[str, list[int]] = {}  # task -> indices in its training split
        self.context: StageContext | None = None

    def before_stage(self, context: StageContext) -> None:
        """Take hold of the network that rehearses."""
        self.context = context

    def loss(self, cut: list[Tensor], outputs: Outputs, step: int = 0) -> dict[str, Tensor]:
        """The loss of one earlier task on a few of its kept images, in new random views."""
        context = self.context
        if context is None or not self.memory:
            return {}
        tasks = list(self.memory)
        task = tasks[step % len(tasks)]
        pixels, targets = rehearsal(context.train_sets, task, self.memory[task], step // len(tasks))
        network = context.network
        device = next(network.parameters()).device
        inputs = normalise(pixels.to(device), network.config)
        again = network(features=context.cut(inputs.contiguous(memory_format=torch.channels_last)))
        terms = network.tasks[task].loss(again.raw[task], to_device(targets, device))
        return {f"keep_{task}": torch.stack(list(terms.values())).sum()}

    def after_stage(self, context: StageContext) -> None:
        """Keep ten images of the task just trained, spread evenly over its list."""
        task = context.stage.task
        n = len(context.train_sets[task].views)
        kept = min(MEMORY, n)
        self.memory[task] = [i * n // kept for i in range(kept)]

    def state_dict(self) -> dict[str, Any]:
        """Which images are kept."""
        return {"memory": self.memory}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of state_dict."""
        self.memory = state["memory"]


def rehearsal(
    train_sets: Mapping[str, TrainingSet], task: str, memory: list[int], turn: int
) -> tuple[Tensor, Any]:
    """A batch of kept images, all of them in turn, in views that no other turn has.

    Views are numbered on from the task's own epochs: they repeat none of those, and after those a
    view is made of its own image alone.
    """
    start, first_view = turn * REHEARSED, train_sets[task].views.stage.epochs
    keys = [
        (first_view + start + i, memory[(start + i) % len(memory)], 0)
        for i in range(min(REHEARSED, len(memory)))
    ]
    return train_sets[task].batch(keys)
