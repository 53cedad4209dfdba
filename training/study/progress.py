"""What is left of a study, how long it may take, and what a finished run still needs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from mtl_core.learning.state_files import has_state
from mtl_core.runs.run_directory import RunRecords
from mtl_core.types import InputError
from training.study.runs import OWN_START, Cell, StudyRuns


def estimates_s(study: StudyRuns, missing: Sequence[Cell]) -> list[float | None]:
    """Seconds that each missing run may take, by the finished ones; None where none is alike.

    A seed's first stage counts for the run that trains it alone.
    """
    later: dict[tuple[str, str | None], list[float]] = {}
    firsts: list[float] = []
    for cell, run in study.runs():
        seconds = [float(value) for value in run.manifest["stage_seconds"].values()]
        shares = cell.task is None and cell.method not in OWN_START
        first = float(run.manifest["stage_seconds"].get("1", 0.0)) if shares else 0.0
        firsts += [first] if shares else []
        later.setdefault((cell.method, cell.task), []).append(sum(seconds) - first)
    whole = [s for (_, task), values in later.items() if task is None for s in values]
    begun = {cell.seed for cell in missing if study.first_stage(cell.seed) is not None}
    found: list[float | None] = []
    for cell in missing:
        alike = later.get((cell.method, cell.task)) or (whole if cell.task is None else [])
        if not alike:
            found.append(None)
            continue
        seconds_s = sum(alike) / len(alike)
        if cell.task is None and cell.method not in OWN_START and cell.seed not in begun:
            begun.add(cell.seed)
            seconds_s += sum(firsts) / len(firsts) if firsts else 0.0
        found.append(seconds_s)
    return found


def left(estimates: Sequence[float | None]) -> str:
    """The present run's time and that of all, in words."""
    known = [value for value in estimates if value is not None]
    if not known:
        return "no estimate yet"
    rest = sum(known) / len(known) * len(estimates)
    own = f"about {_duration(estimates[0])} of " if estimates[0] is not None else ""
    return f"{own}about {_duration(rest)} left"


def _duration(seconds: float | None) -> str:
    minutes = (seconds or 0.0) / 60
    return f"{minutes / 60:.1f} h" if minutes >= 90 else f"{minutes:.0f} min"


def resumable(study: StudyRuns, cell: Cell) -> bool:
    """Whether a run goes on; what was stopped before its first state is cleared away.

    Raises:
        InputError: a folder of that name holds more than that.
    """
    out = study.folder(cell)
    if not out.exists():
        return False
    if has_state(out):
        return True
    # Before its first state a run holds at most a copy of another's first stage.
    more = [p.name for p in sorted(out.glob("stage*.safetensors")) if p.stem != "stage1"]
    if more:
        raise InputError(f"{out} holds {more[0]} and no state to go on with: expected neither.")
    shutil.rmtree(out)
    return False


def lighten(study: StudyRuns, cells: Sequence[Cell], missing: Sequence[Cell]) -> None:
    """Leave of finished runs what a report needs: records, predictions, scores.

    Resume states and checkpoints go, but for the first stages that missing runs start from. Other
    runs than ``cells`` stay: another process may be training their seeds.
    """
    needed = {
        study.first_stage(cell.seed)
        for cell in missing
        if cell.task is None and cell.method not in OWN_START
    }
    for cell in cells:
        path = study.folder(cell)
        if path in needed or path.is_symlink() or not study.finished(cell):
            continue
        if RunRecords(path).manifest.get("status") == "finished":
            shutil.rmtree(path / "state", ignore_errors=True)
            for weights in path.glob("stage*.safetensors"):
                weights.unlink()
