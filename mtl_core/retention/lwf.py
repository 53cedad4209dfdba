"""Learning without Forgetting: Z. Li, D. Hoiem, ECCV 2016.

Eq. 1 with the knowledge distillation loss of eq. 2-4 on the new task's images: every earlier
task's logits are held to those of the network before the stage, with weight 1 and temperature 2
(section 3). Deviations: dense logits of masks and cells instead of one vector an image, a box's
weighted by how sure the teacher is of an object, whose own logit is not softened; Hinton's factor
T^2, which the paper leaves out; no warm-up of the new outputs alone; and the teacher's answers are
computed per batch instead of stored, since every view of an image is new. The stage's own rates
apply, and with them a backbone that stands still where the stage says so.
"""

from __future__ import annotations

from dataclasses import replace

from mtl_core.config import StageConfig
from mtl_core.retention.distill import Distill

OLD_WEIGHT, TEMPERATURE = 1.0, 2.0


class Lwf(Distill):
    """Logits only: no coordinates of boxes, no features."""

    logits_only = True

    def settings(self, stage: StageConfig, earlier: list[str]) -> StageConfig:
        """The paper's weight and temperature instead of the stage's own."""
        weights = dict.fromkeys(earlier, OLD_WEIGHT)
        return replace(stage, distill=weights, distill_neck=0.0, temperature=TEMPERATURE)
