"""Runs by where they are: a directory here, or a repository of the Hugging Face Hub."""

from __future__ import annotations

import re
from pathlib import Path

from mtl_core.runs.run_directory import Run
from mtl_core.types import InputError

# A Hub repository is named owner/name; training state never leaves its machine.
_HUB_ID = re.compile(r"^[\w.-]+/[\w.-]+$")
_HUB_FILES = [
    "run.json",
    "records.jsonl",
    "latency.json",
    "verdicts.json",
    "regressions.json",
    "stage*.safetensors",
]


class NoRun(InputError):
    """There is no run at a place.

    Attributes:
        place: the path or Hub id that was asked for.
        reason: why the Hub did not give it; None where it is a place without a run.
    """

    def __init__(self, place: str, reason: str | None = None) -> None:
        self.place, self.reason = place, reason
        wanted = "expected a directory with a run.json, as training.train writes, or a Hub id"
        tried = f" (the Hub: {reason})" if reason else ""
        super().__init__(f"{place} is not a run{tried}: {wanted}.")


def open_run(place: str | Path) -> Run:
    """A run by its directory, or by its Hub id (``owner/name``) where no such directory exists.

    From the Hub come only the files that a run is read from; they are kept in its local cache.

    Raises:
        NoRun: neither is a run.
        InputError: a file of the run is damaged.
    """
    fetched = not Path(place).exists() and _HUB_ID.match(str(place)) is not None
    path = _from_hub(str(place)) if fetched else Path(place)
    if not (path / "run.json").is_file():
        raise NoRun(str(place))
    # The Hub's cache holds a snapshot's files as links into a folder beside it.
    run = Run(path, str(place) if fetched else None, path.parents[1] if fetched else None)
    for read in (run.records, run.verdicts, run.regressions, run.latency, run.accuracy_and_time):
        read()  # damage is refused here, not when a part of the run is first needed
    return run


def _from_hub(repository: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, allow_patterns=_HUB_FILES))
    except Exception as error:  # the Hub's client raises many kinds; all mean the same here
        raise NoRun(repository, type(error).__name__) from error
