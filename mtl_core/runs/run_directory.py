"""The run directory: what training hands to the page.

Anything that the page draws comes from such a directory, wherever it was made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mtl_core.old_names import renamed_keys, renamed_words
from mtl_core.runs.records import read_records
from mtl_core.runs.sealed_json import read_sealed
from mtl_core.types import InputError

_BESIDE = re.compile(r"[\w-][\w.-]*/stage\d+\.safetensors")


@dataclass(frozen=True)
class StageFile:
    """One stage of a run: its number from 1, the task it trained and its checkpoint."""

    number: int
    task: str
    weights: Path

    @property
    def version(self) -> tuple[int, int]:
        """Changes when the checkpoint is written anew: time of change in ns, size in bytes."""
        found = self.weights.stat()
        return found.st_mtime_ns, found.st_size


class RunRecords:
    """What a run directory holds beside its checkpoints, opened for reading.

    Args:
        path: the directory that holds ``run.json``.
        name: by which the page lists the run; the directory's by default.
        root: the folder in which links may end; the run's own by default.

    Raises:
        InputError: the directory is not a run, or a file of it is a link that leads out of it.
    """

    def __init__(self, path: str | Path, name: str | None = None, root: Path | None = None) -> None:
        self.path = Path(path)
        self.name = name or self.path.resolve().name
        manifest = self.path / "run.json"
        if not manifest.is_file():
            raise InputError(
                f"{self.path} is not a run directory: expected a run.json in it, "
                "as training.train writes."
            )
        self._written_ns = manifest.stat().st_mtime_ns
        self._refuse_links_out((root or self.path).resolve())
        fault = (
            f"{manifest} is damaged: expected JSON with config.stages and class_names, as "
            "training.train writes."
        )
        self.manifest: dict[str, Any] = renamed_keys(read_sealed(manifest, fault))
        try:
            self.class_names: dict[str, list[str]] = {
                str(task): [str(name) for name in names]
                for task, names in self.manifest["class_names"].items()
            }
            self.tasks = [str(stage["task"]) for stage in self.manifest["config"]["stages"]]
        except (AttributeError, KeyError, TypeError) as error:
            raise InputError(fault) from error

    @property
    def is_rewritten(self) -> bool:
        """Whether run.json was written since it was read here, as after every stage."""
        return (self.path / "run.json").stat().st_mtime_ns != self._written_ns

    def _refuse_links_out(self, root: Path) -> None:
        """A stranger's run must not bring in files of this machine by links to them."""
        for file in (*self.path.iterdir(), *self.path.glob("predictions/*")):
            if not file.resolve().is_relative_to(root):
                raise InputError(f"{file} is a link that leads out of the run: expected a file.")

    @property
    def input_px(self) -> int | None:
        """Long side of an image as the run was measured on it, pixels; None where unknown.

        A run may have been measured at another size than it was trained for.
        """
        trained = self.manifest["config"].get("model", {}).get("input_px")
        measured: int | None = self.manifest.get("evaluated_input_px", trained)
        return measured

    def records(self) -> pd.DataFrame:
        """All evaluations, one row each.

        Columns: stage, step, epoch, task (``seg``, ``det``, ``cls``), metric (``mIoU``,
        ``mAP``, ``mAP50``, ``top1``), value (a fraction), n (images), scope: ``stage`` for the
        whole validation split after a stage, ``subset`` for a fixed part of it inside a stage.

        Raises:
            InputError: a line is not a JSON object.
        """
        return read_records(self.path / "records.jsonl")

    def latency(self) -> dict[str, Any] | None:
        """The shipped reference measurement, or None where it was not taken.

        Raises:
            InputError: the file is not a JSON object.
        """
        path = self.path / "latency.json"
        if not path.is_file():
            return None
        fault = f"{path}: expected a JSON object."
        content: dict[str, Any] = renamed_words(read_sealed(path, fault))
        return content

    def accuracy_and_time(self) -> dict[str, Any] | None:
        """Scores and times at several input sizes, or None where they were not measured.

        Raises:
            InputError: the file is not a JSON object.
        """
        path = self.path / "accuracy_and_time.json"
        if not path.is_file():
            return None
        return read_sealed(path, f"{path}: expected a JSON object.")

    def verdicts(self) -> dict[str, dict[str, Any]]:
        """What ``analysis.verdicts.judge`` found, per task; empty where the run was not judged.

        Raises:
            InputError: the file is not what ``judge`` writes.
        """
        path = self.path / "verdicts.json"
        if not path.is_file():
            return {}
        fault = f"{path}: expected what training.judge writes."
        content = read_sealed(path, fault)
        try:
            return {row["task"]: row for row in content["tasks"]}
        except (KeyError, TypeError) as error:
            raise InputError(fault) from error

    @property
    def is_judged(self) -> bool:
        """Whether training.judge has listed what later stages broke."""
        return (self.path / "regressions.json").is_file()

    def regressions(self) -> list[dict[str, Any]]:
        """What ``analysis.regressions`` found, largest loss first; empty where it was not run.

        Raises:
            InputError: the file is not what ``keep_regressions`` writes.
        """
        path = self.path / "regressions.json"
        if not path.is_file():
            return []
        fault = f"{path}: expected what training.judge writes."
        rows = read_sealed(path, fault).get("rows")
        if isinstance(rows, list):  # before, an image was called a picture
            rows = [_renamed_image(row) for row in rows]
        wanted = {"image", "task", "before", "after", "loss", "kinds", "classes"}
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and wanted <= set(row) for row in rows
        ):
            raise InputError(fault)
        return rows


class Run(RunRecords):
    """A run directory with its checkpoints.

    Args:
        path: the directory that holds ``run.json``.
        name: by which the page lists the run; the directory's by default.
        root: the folder in which links may end; the run's own by default.

    Raises:
        InputError: the directory is not a run, or a file that it names is missing, or a file of it
            is a link that leads out of it.
    """

    def __init__(self, path: str | Path, name: str | None = None, root: Path | None = None) -> None:
        super().__init__(path, name, root)
        self.stages: list[StageFile] = []
        for number, task in enumerate(self.tasks, start=1):
            weights = self._weights(number)
            if weights is not None:
                self.stages.append(StageFile(number, task, weights))
        if not self.stages:
            raise InputError(
                f"{self.path} has no finished stage: expected stage1.safetensors beside run.json."
            )

    def _weights(self, number: int) -> Path | None:
        """A stage's checkpoint: its own, or the equal one of a run beside it (``stage_files``)."""
        own = self.path / f"stage{number}.safetensors"
        if own.is_file():
            return own
        shared = self.manifest.get("stage_files", {})
        named = shared.get(str(number)) if isinstance(shared, dict) else None
        if named is None:
            return None
        # Nothing but a run's name and a checkpoint in it: a manifest must not point elsewhere.
        if not _BESIDE.fullmatch(str(named)):
            raise InputError(
                f"{self.path / 'run.json'}: expected stage_files to name the checkpoint of a run "
                f'beside it, "other-run/stage{number}.safetensors" for one, not {named!r}.'
            )
        beside = self.path.resolve().parent / str(named)
        if not beside.is_file():
            raise InputError(
                f"{self.path / 'run.json'} names {named} as its stage {number}: expected that run "
                "beside this one."
            )
        return beside

    def stage(self, number: int) -> StageFile:
        """The stage of that number, from 1; negative ones count from the last.

        Raises:
            InputError: the run has no checkpoint of it.
        """
        numbers = [stage.number for stage in self.stages]
        if number < 0 and -number <= len(numbers):
            return self.stages[number]
        if number not in numbers:
            raise InputError(
                f"{self.path} has no checkpoint of stage {number}: expected one of "
                f"{', '.join(map(str, numbers))}."
            )
        return self.stages[numbers.index(number)]


def _renamed_image(row: Any) -> Any:
    if isinstance(row, dict) and "picture" in row:
        return {"image" if key == "picture" else key: value for key, value in row.items()}
    return row
