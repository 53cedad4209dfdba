"""A study: runs of several methods on the same images, found in one directory."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from mtl_core.learning.resume import VARIED
from mtl_core.learning.state_files import start_of
from mtl_core.metrics.accuracy_matrix import (
    accuracy_matrix,
    average_forgetting,
    backward_transfer,
    forward_transfer,
)
from mtl_core.metrics.stability_gap import dips
from mtl_core.retention import METHODS
from mtl_core.runs.run_directory import RunRecords
from mtl_core.tasks import primary_metrics
from mtl_core.types import InputError

# All other methods start from the same first stage.
OWN_START = [name for name, method in METHODS.items() if method.own_start]
DIVERGED = "diverged.txt"  # why a run has no result: its loss exploded
# Settings of a stage that a task trained alone and a recipe without a part have otherwise.
FREED = ("distill", "distill_neck", "lr_backbone", "lr_shared")
NAME = re.compile(
    r"(?P<method>[a-z]+)(-without-(?P<without>[a-z]+))?(-(?P<task>[a-z]+))?"
    r"(-x(?P<strength>[\d.e+-]+?))?(-r(?P<rate>[\d.e+-]+?))?-seed(?P<seed>\d+)"
)


@dataclass(frozen=True)
class Cell:
    """One run of a study: a method, its strength and a seed; a part left out; or a task alone.

    The strength of joint, which adds nothing to a loss, is a factor on its epochs.
    """

    method: str
    strength: float
    seed: int
    task: str | None = None  # of a single-task reference
    without: str | None = None  # the part of the recipe that is left out, see ablation.py
    rate: float = 1.0  # factor on the learning rate, of joint alone

    @property
    def name(self) -> str:
        """The run's folder, such as ``distill-seed0``, ``ewc-x3-seed0`` or ``single-det-seed0``."""
        alone = f"-without-{self.without}" if self.without else ""
        alone += f"-{self.task}" if self.task else ""
        factor = "" if self.strength == 1 else f"-x{self.strength:g}"
        factor += "" if self.rate == 1 else f"-r{self.rate:g}"
        return f"{self.method}{alone}{factor}-seed{self.seed}"

    @property
    def label(self) -> str:
        """As tables show it, without the seed."""
        return self.name.rsplit("-seed", 1)[0]

    @staticmethod
    def of(name: str) -> Cell | None:
        """The inverse of ``name``; None for a folder that is none of ours."""
        match = NAME.fullmatch(name)
        if match is None:
            return None
        found = match.groupdict()
        return Cell(
            found["method"],
            float(found["strength"] or 1),
            int(found["seed"]),
            found["task"],
            found["without"],
            float(found["rate"] or 1),
        )


class StudyRuns:
    """The runs of a study directory.

    Args:
        path: the directory; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def folder(self, cell: Cell) -> Path:
        """Where a run lies, or will."""
        return self.path / cell.name

    def finished(self, cell: Cell) -> bool:
        """A run is judged when all its stages are done, so its verdicts are its last file."""
        return (self.folder(cell) / "verdicts.json").is_file()

    def diverged(self, cell: Cell) -> bool:
        """Whether a run's loss exploded; another try would end the same way."""
        return (self.folder(cell) / DIVERGED).is_file()

    def first_stage(self, seed: int) -> Path | None:
        """A run whose first stage others of this seed may start from, or None."""
        for path in sorted(self.path.glob(f"*-seed{seed}")):
            cell = Cell.of(path.name)
            if cell is None or cell.task is not None or cell.method in OWN_START:
                continue
            if (path / "state" / start_of(2)).is_file() and (path / "run.json").is_file():
                return path
        return None

    def runs(self) -> list[tuple[Cell, RunRecords]]:
        """All finished runs, by name.

        Raises:
            InputError: two of them were not made from the same images and weights.
        """
        found: list[tuple[Cell, RunRecords]] = []
        for path in sorted(self.path.iterdir()) if self.path.is_dir() else []:
            cell = Cell.of(path.name)
            if cell is not None and self.finished(cell):
                found.append((cell, RunRecords(path)))
        for (_, one), (_, other) in combinations(found, 2):
            check_comparable(one, other)
        return found


def main_cells(runs: list[tuple[Cell, RunRecords]]) -> list[tuple[Cell, RunRecords]]:
    """One run of every method of several stages: nothing left out, the lowest seed, and of several
    strengths the one nearest to its own.
    """
    chosen: dict[str, tuple[Cell, RunRecords]] = {}
    for cell, run in sorted(runs, key=lambda pair: (pair[0].seed, abs(pair[0].strength - 1))):
        if cell.task is None and cell.without is None and len(run.tasks) > 1:
            chosen.setdefault(cell.method, (cell, run))
    return list(chosen.values())


def check_comparable(one: RunRecords, other: RunRecords) -> None:
    """Refuse to lay runs side by side that differ in more than method, strength, seed and tasks.

    Raises:
        InputError: they do.
    """
    for key in ("data_fingerprint", "initial_weights"):
        a, b = one.manifest.get(key, {}), other.manifest.get(key, {})
        if any(a[part] != b[part] for part in set(a) & set(b)):
            raise InputError(f"{one.path} and {other.path} differ in {key}: expected one study.")
    if one.input_px != other.input_px:
        raise InputError(
            f"{one.path} was measured at {one.input_px} px, {other.path} at {other.input_px} px: "
            "expected one size, which training.rescore --input-px sets."
        )
    ours, theirs = _recipe(one), _recipe(other)
    changed = [what for what in ours if what in theirs and ours[what] != theirs[what]]
    if changed:
        raise InputError(
            f"{one.path} and {other.path} differ in {', '.join(changed)}: expected one study, of "
            "one recipe and with the same --epochs whenever it goes on."
        )
    constants = [run.manifest.get("method_constants") for run in (one, other)]
    methods = [run.manifest["config"]["method"] for run in (one, other)]
    if methods[0] == methods[1] and None not in constants and constants[0] != constants[1]:
        raise InputError(
            f"{one.path} and {other.path} were trained with other numbers of {methods[0]} "
            f"({constants[0]} and {constants[1]}): expected one study."
        )


def _recipe(run: RunRecords) -> dict[str, Any]:
    """What all runs of a study have in common, by what to call it, as far as a run has it."""
    config = run.manifest["config"]
    common = {name: value for name, value in config.items() if name not in (*VARIED, "seed")}
    freed = (*FREED, *(("epochs", "lr") if config["method"] == "joint" else ()))
    for stage in config["stages"]:
        settings = {name: value for name, value in stage.items() if name not in freed}
        common |= {f"{name} of {stage['task']}": value for name, value in settings.items()}
    return common


def results(study: StudyRuns) -> pd.DataFrame:
    """One row per run and task.

    Columns: method (with its strength), family (without it), strength, rate, without (the part left
    out, or nothing), seed, task, metric, base, final, drop, drop_low, drop_high (relative; NaN
    where no later stage came), retention, floor, reached, verdict, n, ece, forgetting and backward
    (transfer; of the run, as fractions), seconds (of the run), dip (relative, deepest inside later
    stages).
    """
    rows = []
    for cell, run in study.runs():
        judged = run.verdicts().values()
        deepest = deepest_dips(run)
        matrix = accuracy_matrix(run.records())
        means = {"forgetting": average_forgetting(matrix), "backward": backward_transfer(matrix)}
        for row in judged:
            drop = row["drop"] or {}
            rows.append(
                {
                    "method": cell.label if cell.task is None else "single",
                    "family": cell.method,
                    "strength": cell.strength,
                    "rate": cell.rate,
                    "without": cell.without or "",
                    "seed": cell.seed,
                    **{k: row[k] for k in ("task", "metric", "base", "final")},
                    "drop": number_or_nan(drop.get("value")),
                    "drop_low": number_or_nan(drop.get("low")),
                    "drop_high": number_or_nan(drop.get("high")),
                    # Nothing came after a last stage, or after stages trained together.
                    "retention": row["final"] / row["base"] if drop and row["base"] else math.nan,
                    **{k: row[k] for k in ("floor", "reached", "verdict", "n")},
                    "ece": number_or_nan(row["ece"]),
                    **means,
                    "seconds": run.manifest["wall_time_s"],
                    "dip": deepest.get(row["task"], math.nan),
                }
            )
    return pd.DataFrame(rows)


def number_or_nan(value: Any) -> float:
    """JSON's null is NaN."""
    return math.nan if value is None else float(value)


def deepest_dips(run: RunRecords) -> dict[str, float]:
    """Per earlier task the largest relative fall inside a later stage, on the subset images."""
    found: dict[str, float] = {}
    for dip in dips(run.records(), primary_metrics()):
        if dip.before > 0:
            depth = 1 - dip.lowest / dip.before
            found[dip.task] = max(found.get(dip.task, -math.inf), depth)
    return found


def references(frame: pd.DataFrame) -> dict[str, float]:
    """Per task the single-task score, a mean over seeds; tasks without a reference are left out.

    The first task's is its own first stage, which starts from the same backbone with nothing to
    keep.
    """
    alone = frame[frame["method"] == "single"].groupby("task")["final"].mean().to_dict()
    shared = frame[~frame["method"].isin(["single", *OWN_START])]
    if len(shared):
        first = shared["task"].iloc[0]
        alone.setdefault(first, float(shared[shared["task"] == first]["base"].mean()))
    return {str(task): float(score) for task, score in alone.items()}


def by_method(frame: pd.DataFrame, alone: dict[str, float]) -> pd.DataFrame:
    """One row per method: means over its seeds.

    Args:
        frame: as ``results`` gives it, or some of its rows.
        alone: single-task scores, as ``references`` gives them.

    Columns: method, family, strength, seeds, per task ``base T``, ``final T``, ``drop T``, ``old``
    (mean retention of the tasks that a later stage followed, NaN where none did), ``new`` (mean of
    base / single-task score over the tasks after the first), ``forgetting``, ``backward`` and
    ``forward`` (see accuracy_matrix; means over runs), ``dip`` and ``seconds``.
    """
    rows = []
    for method, runs in frame[frame["method"] != "single"].groupby("method", sort=False):
        tasks = list(dict.fromkeys(runs["task"]))
        row: dict[str, Any] = {"method": method, "family": runs["family"].iloc[0]}
        row["strength"], row["seeds"] = runs["strength"].iloc[0], runs["seed"].nunique()
        for task in tasks:
            own = runs[runs["task"] == task]
            row[f"base {task}"], row[f"final {task}"] = own["base"].mean(), own["final"].mean()
            row[f"drop {task}"] = own["drop"].mean()
        row["old"] = runs["retention"].mean()
        bases = {task: row[f"base {task}"] for task in tasks[1:]}
        news = [base / alone.get(task, math.nan) for task, base in bases.items()]
        row["new"] = sum(news) / len(news) if news else math.nan
        row["forward"] = forward_transfer(bases, alone)
        row["forgetting"], row["backward"] = runs["forgetting"].mean(), runs["backward"].mean()
        row["dip"] = runs["dip"].max()
        row["seconds"] = runs.drop_duplicates("seed")["seconds"].mean()
        rows.append(row)
    return pd.DataFrame(rows)
