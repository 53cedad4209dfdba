"""Nothing against forgetting: the lower bound that every method is measured against."""

from __future__ import annotations

from mtl_core.retention.base import Retention


class Finetune(Retention):
    """Train on the new task, and only on it."""
