"""The images that a run trains on and is evaluated on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.data.fingerprint import check_disjoint, fingerprint
from mtl_core.data.splits import Split
from mtl_core.tasks.data_roots import data_roots, read_split


@dataclass(frozen=True)
class RunData:
    """One split a task to train on, and one to evaluate on, which share no image."""

    train: dict[str, Split]
    evaluation: dict[str, Split]

    @staticmethod
    def read(
        tasks: Sequence[str],
        data: Path,
        train_split: str = "train",
        eval_split: str = "val",
        sets: Mapping[str, Path] | None = None,
        eval_data: Path | None = None,
        check: bool = True,
    ) -> RunData:
        """Open and check the splits.

        Args:
            tasks: ids of what is trained.
            data: root of their sets.
            train_split: a folder name of the sets, or a part such as ``"train:fit"``.
            eval_split: another one.
            sets: by task id, those that lie elsewhere.
            eval_data: root of the sets that hold eval_split; those of data by default.

            check: look for images that stand in both splits.

        Raises:
            InputError: a set is missing or malformed, or an image stands in both splits.
        """
        roots = data_roots(data, sets)
        held_out = data_roots(eval_data) if eval_data else roots
        found = RunData(
            {task: read_split(roots, task, train_split) for task in tasks},
            {task: read_split(held_out, task, eval_split) for task in tasks},
        )
        for task in tasks if check else ():
            check_disjoint(found.train[task], found.evaluation[task])
        return found

    def fingerprints(self) -> dict[str, Any]:
        """Per task which files either split consists of."""
        return {
            task: {
                "train": fingerprint(self.train[task]),
                "eval": fingerprint(self.evaluation[task]),
            }
            for task in self.train
        }
