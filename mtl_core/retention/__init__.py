"""Ways not to forget, chosen by ``--method``."""

from __future__ import annotations

from mtl_core.retention.base import Retention, StageContext
from mtl_core.retention.distill import Distill
from mtl_core.retention.ewc import Ewc
from mtl_core.retention.finetune import Finetune
from mtl_core.retention.joint import Joint
from mtl_core.retention.lwf import Lwf
from mtl_core.retention.progressive import Progressive
from mtl_core.retention.replay import Replay

METHODS: dict[str, type[Retention]] = {
    "finetune": Finetune,
    "ewc": Ewc,
    "lwf": Lwf,
    "replay": Replay,
    "distill": Distill,
    "progressive": Progressive,
    "joint": Joint,
}

__all__ = ["METHODS", "Retention", "StageContext"]
