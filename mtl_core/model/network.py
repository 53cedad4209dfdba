"""UnifiedVisionSystem: backbone, neck and head, all tasks in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mtl_core.config import ModelConfig
from mtl_core.model.backbone import Backbone
from mtl_core.model.head import TaskAdaptiveProcessor
from mtl_core.model.neck import DynamicFeatureFusion


@dataclass
class Outputs:
    """One pass.

    Attributes:
        fused: the neck's map, N x C x H/8 x W/8; what feature distillation compares.
        raw: per task, what its readout made of its slice (see the task's file for the shape).
    """

    fused: Tensor
    raw: dict[str, Tensor]


class UnifiedVisionSystem(nn.Module):
    """The whole network.

    Input N x 3 x H x W, H and W multiples of 32, normalised with ``config.mean`` and ``std``.

    Args:
        config: its shape.
        tasks: the tasks whose outputs it has, in the order of the output slices.
    """

    def __init__(self, config: ModelConfig, tasks: Sequence[Any]) -> None:
        super().__init__()
        self.config = config
        self.tasks = {task.id: task for task in tasks}
        self.backbone = Backbone(config)
        self.fused_levels = [level - 3 for level in config.levels]
        channels = [self.backbone.channels[i] for i in self.fused_levels]
        self.neck = DynamicFeatureFusion(channels, config.neck_channels)
        self.head = TaskAdaptiveProcessor(config, {t.id: t.channels for t in tasks})
        self.readouts = nn.ModuleDict(
            {task.id: task.build_readout(self.backbone.channels[-1]) for task in tasks}
        )
        for task in tasks:
            task.initialise(self.head.output.weights[task.id], self.head.output.biases[task.id])
        self.norms_frozen = False

    def load_initial(self, source: Path | None) -> dict[str, str]:
        """Fill the backbone, and what readouts take over from it, with pretrained weights.

        See ``Backbone.load_initial`` for the argument, the result and the errors.
        """
        provenance = self.backbone.load_initial(source)
        if self.backbone.last_convolution is not None:
            for name, task in self.tasks.items():
                task.take_over(self.readouts[name], *self.backbone.last_convolution)
        return provenance

    def forward(self, x: Tensor | None = None, *, features: list[Tensor] | None = None) -> Outputs:
        """All outputs of a batch.

        Args:
            x: N x 3 x H x W, normalised; or
            features: what ``backbone.frozen`` gave for it, so that student, teacher and cache share
                the half that is frozen.
        """
        if features is None:
            assert x is not None, "expected the batch or its frozen features"
            features = self.backbone.frozen(x)
        levels = self.backbone.rest(features)
        fused = self.neck([levels[i] for i in self.fused_levels])
        slices = self.head(fused)
        raw = {task: readout(slices[task], levels[-1]) for task, readout in self.readouts.items()}
        return Outputs(fused, raw)

    def freeze_norms(self) -> None:
        """From now on the statistics of neck and head stay, too, as later stages need."""
        self.norms_frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> UnifiedVisionSystem:
        """As nn.Module.train; frozen batch norm keeps its statistics in every mode."""
        super().train(mode)
        self.backbone.train(mode)
        if self.norms_frozen:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def parameter_counts(self) -> dict[str, int]:
        """Parameters per part: frozen and trainable backbone, neck, head (with readouts)."""

        def count(parameters: list[nn.Parameter]) -> int:
            return sum(p.numel() for p in parameters)

        frozen = count(self.backbone.frozen_parameters(self.config.frozen_blocks))
        return {
            "backbone_frozen": frozen,
            "backbone_trainable": count(list(self.backbone.parameters())) - frozen,
            "neck": count(list(self.neck.parameters())),
            "head": count([*self.head.parameters(), *self.readouts.parameters()]),
        }
