"""The runs that the page can show: those shipped, those named on the command line, those opened."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from app.language import Refusal
from mtl_core.runs import hub
from mtl_core.runs.run_directory import Run, StageFile
from mtl_core.types import InputError

SHIPPED = Path(__file__).resolve().parents[2] / "assets" / "runs"
PREFERRED = "onehead"


class RunShelf:
    """Runs by name, in order; the first is the default.

    Args:
        runs: opened runs; a name met twice gets a number.
    """

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._runs: dict[str, Run] = {}
        self._owners: dict[str, str] = {}
        for run in runs:
            self.add(run)

    def add(self, run: Run, owner: str = "") -> str:
        """Put a run on the shelf and return the name by which it stands there.

        Args:
            run: an opened run.
            owner: the one visitor in whose lists it stands; empty means everybody.
        """
        for name, known in self._runs.items():
            if known.path.resolve() == run.path.resolve():
                self._runs[name] = run
                return name
        name, number = run.name, 2
        while name in self._runs:
            name, number = f"{run.name} ({number})", number + 1
        self._runs[name] = run
        if owner:
            self._owners[name] = owner
        return name

    def remove(self, path: Path) -> None:
        """Take the run of that directory off the shelf, if it stands there."""
        self._runs = {
            name: run for name, run in self._runs.items() if run.path.resolve() != path.resolve()
        }
        self._owners = {name: who for name, who in self._owners.items() if name in self._runs}

    @property
    def names(self) -> list[str]:
        """The names of everybody's runs, in order."""
        return self.names_for("")

    def names_for(self, visitor: str) -> list[str]:
        """The same with those that stand in this visitor's lists alone."""
        return [name for name in self._runs if self._owners.get(name, visitor) == visitor]

    def get(self, name: str | None) -> Run:
        """The run of that name; None means the default, the first of everybody's.

        Raises:
            Refusal: there is no run for everybody, or none of that name.
        """
        known = self.names
        if not known and name not in self._runs:
            raise Refusal("error.no_runs")
        name = known[0] if name is None else name
        if name not in self._runs:
            raise Refusal("error.no_run", run=name, known=", ".join(known))
        return self._as_it_is_now(name)

    def _as_it_is_now(self, name: str) -> Run:
        """A run; one that is being trained has got another stage since it was opened, perhaps."""
        run = self._runs[name]
        if run.manifest.get("status") == "running" and run.is_rewritten:
            run = self._runs[name] = Run(run.path, run.name)
        return run

    def name_of(self, run: Run) -> str:
        """The name by which a run stands here; two directories of one name differ."""
        return next(name for name, known in self._runs.items() if known.path == run.path)

    def measured_alike(self, run: Run) -> Run | None:
        """This run if it brings measured times, else one here that does and is of its size.

        Of one size are networks that count equally many parameters in backbone, neck and head.
        """
        others = [
            other for other in self._runs.values() if _sizes(run) and _sizes(other) == _sizes(run)
        ]
        return next((r for r in (run, *others) if r.latency()), None)

    def stage(self, name: str | None, number: int) -> StageFile:
        """One stage of a run.

        Raises:
            Refusal: the run or the stage is not here.
        """
        run = self.get(name)
        for stage in run.stages:
            if stage.number == number:
                return stage
        known = ", ".join(str(stage.number) for stage in run.stages)
        raise Refusal("error.no_stage", run=run.name, number=number, known=known)

    def __contains__(self, name: object) -> bool:
        return name in self._runs


def _sizes(run: Run) -> list[int] | None:
    """Parameters of a network's parts, however much of its backbone rests; None if not counted."""
    counts = run.manifest.get("parameters")
    return [counts.get(part, 0) for part in ("neck", "head", "total")] if counts else None


def shipped_runs(folder: Path = SHIPPED) -> list[Run]:
    """Every finished run of a folder, the preferred network's first; others are passed over."""
    found = []
    for manifest in sorted(folder.glob("*/run.json")):
        try:
            found.append(Run(manifest.parent))
        except InputError as error:
            print(f"Not shown: {error}")
    return sorted(found, key=lambda run: not run.name.startswith(PREFERRED))


def open_run(place: str) -> Run:
    """A run by its directory, or by its Hub id when no such directory exists.

    Raises:
        Refusal: neither is a run.
        InputError: a file of the run is damaged.
    """
    try:
        return hub.open_run(place)
    except hub.NoRun as error:
        key = "open.no_hub" if error.reason else "open.no_run"
        raise Refusal(key, place=place, reason=error.reason) from error
