"""Where each task's set lies, and its splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mtl_core.data.splits import DataFaults, Split, part_of
from mtl_core.tasks import TASKS, known
from mtl_core.types import InputError

DataRoots = dict[str, Path]  # the folder of each task's set; each holds one folder per split


def data_roots(root: Path | str, sets: Mapping[str, Path | str] | None = None) -> DataRoots:
    """The sets under their usual names below ``root``, except for those given by themselves.

    >>> data_roots("data", {"cls": "elsewhere/flowers"})["cls"].name
    'flowers'

    Raises:
        InputError: a set is given for an unknown task.
    """
    own = {task: Path(place) for task, place in (sets or {}).items()}
    for task in own:
        known(task)
    return {t: Path(root) / info.folder for t, info in TASKS.infos.items()} | own


def read_split(roots: DataRoots, task: str, split: str) -> Split:
    """One task's images and labels of one split; pixels are not decoded.

    Args:
        roots: where the sets lie.
        task: its id.
        split: a folder name such as ``"val"``, or with ``":fit"`` or ``":tune"`` a part of it.

    Raises:
        InputError: anything is missing, unlisted, ambiguous or malformed.
    """
    folder_name, colon, part = split.partition(":")
    if (colon and part not in ("fit", "tune")) or Path(folder_name).name != folder_name:
        raise InputError(
            f'Split "{split}" is no folder name, expected one such as "val", or "train:fit" '
            'or "train:tune" for a part.'
        )

    def asked_for(whole: Split) -> Split:
        whole = replace(whole, task=task)
        return part_of(whole, part) if part else whole

    try:
        return asked_for(known(task).read_split(roots[task], folder_name))
    except DataFaults as error:
        usable = asked_for(error.split) if error.split else None
        raise DataFaults(error.sentences, usable) from error
