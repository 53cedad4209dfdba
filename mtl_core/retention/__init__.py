"""Ways not to forget, chosen by ``--method``."""

from __future__ import annotations

from mtl_core.retention.base import Retention
from mtl_core.retention.distill import Distill
from mtl_core.retention.finetune import Finetune

METHODS: dict[str, type[Retention]] = {"finetune": Finetune, "distill": Distill}
