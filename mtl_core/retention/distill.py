"""Knowledge distillation from the network as it was before the stage.

Logits after G. Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, on the new
task's images as in Z. Li, D. Hoiem, "Learning without Forgetting", ECCV 2016; neck features
after A. Romero et al., "FitNets", ICLR 2015, eq. 3, without its regressor, since both maps have
the same shape, and divided by the teacher's variance so that the term is of order one.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from mtl_core.config import StageConfig
from mtl_core.model.network import Outputs, UnifiedVisionSystem
from mtl_core.retention.base import Retention, StageContext


class Distill(Retention):
    """Earlier tasks' outputs and the neck's map are held to the previous stage's network."""

    logits_only = False

    def __init__(self) -> None:
        self.teacher: UnifiedVisionSystem | None = None
        self.stage: StageConfig | None = None
        self.earlier: list[str] = []

    def settings(self, stage: StageConfig, earlier: list[str]) -> StageConfig:
        """The stage's own weights and temperature."""
        return stage

    def before_stage(self, context: StageContext) -> None:
        """Freeze a copy of the network as the teacher; the first stage has none."""
        self.stage, self.earlier = context.stage, list(context.earlier)
        self.teacher = None
        if self.earlier:
            self.teacher = copy.deepcopy(context.network).eval().requires_grad_(False)

    def loss(self, cut: list[Tensor], outputs: Outputs, step: int = 0) -> dict[str, Tensor]:
        """One term per earlier task, and one for the neck's features, as the stage weighs them."""
        if self.teacher is None or self.stage is None:
            return {}
        with torch.no_grad():
            trained = self.teacher(features=cut)
        terms = {}
        for task in self.earlier:
            weight = self.stage.distill.get(task, 0.0)
            if weight:
                distance = self.teacher.tasks[task].distill(
                    outputs.raw[task], trained.raw[task], self.stage.temperature, self.logits_only
                )
                terms[f"keep_{task}"] = weight * distance
        if self.stage.distill_neck:
            variance = trained.fused.float().var().clamp(min=1e-6)
            gap = (outputs.fused.float() - trained.fused.float()).square().mean()
            terms["keep_neck"] = self.stage.distill_neck * gap / variance
        return terms
