"""Elastic Weight Consolidation: J. Kirkpatrick et al., PNAS 2017.

Eq. 3 with one quadratic penalty per earlier task: sum over tasks of
lambda / 2 * sum_i F_i (theta_i - theta*_i)^2, with the diagonal Fisher information F estimated
right after the task's stage, in eval mode, as the mean over images of the squared gradient of the
task's loss at the annotated labels (the "empirical Fisher"; the paper samples labels from the
model), on one random view of each image. Detection's and segmentation's losses stand in for a
log-likelihood. The stage's own rates apply, and with them a backbone that stands still where the
stage says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from mtl_core.data.datasets import to_device
from mtl_core.data.tensor_input import normalise
from mtl_core.model.network import Outputs, UnifiedVisionSystem
from mtl_core.retention.base import Retention, StageContext

FISHER_IMAGES = 200  # at most, spread evenly over the task's training images
# Lambda at strength 1: of 1e2, 1e3 and 1e4 the one that kept most on train:tune. 1e5, which is
# strength 10, was tried after the shipped runs were made, and kept more.
PENALTY = 1e4


class Ewc(Retention):
    """Weights that mattered to an earlier task are held near what they were after it."""

    constants: ClassVar[Mapping[str, float]] = {
        "penalty": PENALTY,
        "fisher_images": FISHER_IMAGES,
    }

    def __init__(self) -> None:
        self.fisher: dict[str, dict[str, Tensor]] = {}  # task -> parameter -> mean squared gradient
        self.anchor: dict[str, dict[str, Tensor]] = {}  # task -> parameter -> value after its stage
        self.moving: dict[str, Tensor] = {}

    def before_stage(self, context: StageContext) -> None:
        """Take hold of the parameters that the penalty watches."""
        self.moving = dict(context.network.named_parameters())

    def loss(self, cut: list[Tensor], outputs: Outputs, step: int = 0) -> dict[str, Tensor]:
        """One penalty per earlier task; parameters that stand still add nothing."""
        terms = {}
        for task, fisher in self.fisher.items():
            watched = [name for name in fisher if self.moving[name].requires_grad]
            if watched:
                gaps = [self.moving[name] - self.anchor[task][name] for name in watched]
                pulls = [
                    (fisher[n] * gap.square()).sum() for n, gap in zip(watched, gaps, strict=True)
                ]
                terms[f"keep_{task}"] = PENALTY / 2 * torch.stack(pulls).sum()
        return terms

    def after_stage(self, context: StageContext) -> None:
        """Estimate what mattered to the task just trained; only its own images are read."""
        task = context.stage.task
        self.fisher[task] = fisher_diagonal(context.network, context, task)
        self.anchor[task] = {
            name: value.detach().clone()
            for name, value in context.network.named_parameters()
            if name in self.fisher[task]
        }

    def state_dict(self) -> dict[str, Any]:
        """Fisher and anchors."""
        return {"fisher": self.fisher, "anchor": self.anchor}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of state_dict."""
        self.fisher, self.anchor = state["fisher"], state["anchor"]


def fisher_diagonal(
    network: UnifiedVisionSystem, context: StageContext, task: str
) -> dict[str, Tensor]:
    """Mean squared gradient of a task's loss per parameter beyond the backbone's frozen blocks."""
    train_set = context.train_sets[task]
    frozen = {id(p) for p in network.backbone.frozen_parameters(network.config.frozen_blocks)}
    watched = {n: p for n, p in network.named_parameters() if id(p) not in frozen}
    was_training, moved = network.training, [p.requires_grad for p in watched.values()]
    network.eval()
    for parameter in watched.values():
        parameter.requires_grad_(True)
    sums = {name: torch.zeros_like(p) for name, p in watched.items()}
    n = min(FISHER_IMAGES, len(train_set.views))
    images = [i * len(train_set.views) // n for i in range(n)]
    for image in images:
        pixels, targets = train_set.batch([(train_set.views.stage.epochs, image, 0)])
        device = next(iter(watched.values())).device
        raw = network(normalise(pixels.to(device), network.config)).raw[task]
        terms = train_set.task.loss(raw, to_device(targets, device))
        loss = torch.stack(list(terms.values())).sum()
        gradients = torch.autograd.grad(loss, list(watched.values()), allow_unused=True)
        for name, gradient in zip(watched, gradients, strict=True):
            if gradient is not None:
                sums[name] += gradient.square()
    for parameter, moves in zip(watched.values(), moved, strict=True):
        parameter.requires_grad_(moves)
    network.train(was_training)
    # What the task's loss does not reach at all (other tasks' outputs) is not watched.
    return {name: total / len(images) for name, total in sums.items() if total.any()}
