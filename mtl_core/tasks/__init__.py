"""The three tasks, and the order in which they are trained by default."""

from __future__ import annotations

from mtl_core.tasks.base import Task
from mtl_core.tasks.classification import Classification
from mtl_core.tasks.detection import Detection
from mtl_core.tasks.segmentation import Segmentation

TASKS: dict[str, type[Task]] = {t.id: t for t in (Segmentation, Detection, Classification)}


def build_tasks(class_names: dict[str, list[str]]) -> list[Task]:
    """One task object per entry, in the order of the entries."""
    return [TASKS[task](names) for task, names in class_names.items()]
