"""The check of a run's data, each task's as the task itself reads it."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_core.data.checks import Bar, Report, Source, check_splits
from mtl_core.tasks import known
from mtl_core.tasks.data_roots import DataRoots, read_split


def check_data(
    tasks: Sequence[str],
    train: tuple[DataRoots, str],
    held_out: tuple[DataRoots, str],
    bar: Bar | None = None,
    near: bool = True,
) -> Report:
    """Read all that a run will read, and report all that is wrong with it.

    Args:
        tasks: ids.
        train: where the sets lie that are trained on, and the split's name.
        held_out: the same of what is measured on.
        bar: wraps the images of a split to show progress.
        near: warn of near-identical images in both splits.

    Raises:
        InputError: a task is unknown.
    """
    return check_splits(
        [(_source(task, *train), _source(task, *held_out)) for task in tasks], bar, near
    )


def _source(task: str, roots: DataRoots, split: str) -> Source:
    return Source(task, split, lambda: read_split(roots, task, split), known(task).read)
