"""The tasks by their ids.

Knowing of them needs no PyTorch; a task's class is imported when it is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mtl_core.types import InputError, TaskInfo

if TYPE_CHECKING:
    from mtl_core.tasks.base import Task

SEG = TaskInfo("seg", ("mIoU",), "label_map", "mini_voc_seg")
DET = TaskInfo("det", ("mAP", "mAP50"), "boxes", "mini_coco_det")
CLS = TaskInfo("cls", ("top1",), "bars", "imagenette_160")


class _Tasks(Mapping[str, "type[Task]"]):
    """Task classes by id; those of this project, and those that were registered."""

    def __init__(self) -> None:
        self.infos = {info.id: info for info in (SEG, DET, CLS)}
        self.places = {
            SEG.id: "mtl_core.tasks.segmentation:Segmentation",
            DET.id: "mtl_core.tasks.detection:Detection",
            CLS.id: "mtl_core.tasks.classification:Classification",
        }

    def __getitem__(self, task: str) -> type[Task]:
        module, _, name = self.places[task].partition(":")
        found: type[Task] = getattr(importlib.import_module(module), name)
        return found

    def __contains__(self, task: object) -> bool:
        return task in self.places  # without importing anything

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def register(self, place: str) -> TaskInfo:
        """Add a task class of the user's own: ``package.module:Class``.

        Raises:
            InputError: there is no such class, or another task has its id.
        """
        module, _, name = place.partition(":")
        try:
            info: TaskInfo = getattr(importlib.import_module(module), name).info
        except (ImportError, AttributeError, ValueError) as error:
            raise InputError(
                f"Task {place!r} cannot be imported ({error}): expected package.module:Class."
            ) from error
        if self.places.get(info.id, place) != place:
            raise InputError(f"Task {place!r} calls itself {info.id!r}, as another task does.")
        self.infos[info.id], self.places[info.id] = info, place
        return info


TASKS = _Tasks()


def primary_metrics() -> dict[str, str]:
    """Per known task the metric that drops are measured in."""
    return {task: info.metrics[0] for task, info in TASKS.infos.items()}


def known(task: str) -> type[Task]:
    """A task's class.

    Raises:
        InputError: there is none of this id.
    """
    if task not in TASKS:
        raise InputError(f"Task {task!r} is unknown: expected one of {', '.join(TASKS)}.")
    return TASKS[task]


def build_tasks(class_names: Mapping[str, list[str]]) -> list[Task]:
    """One task object per entry, in the order of the entries.

    Raises:
        InputError: a task is unknown.
    """
    return [known(task)(names) for task, names in class_names.items()]
