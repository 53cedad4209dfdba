"""The table of the study that a run is one of, where it lies beside the run."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pandas as pd

from mtl_core.runs.run_directory import Run

TABLE = "results.csv"
_COLUMNS = ("method", "strength", "without", "seed", "task", "base", "final", "retention")


def study_beside(run: Run) -> pd.DataFrame:
    """What ``training.compare`` wrote; empty where there is none or it cannot be read."""
    folder = run.path.parent
    for place in (folder / TABLE, folder.parent / "study" / TABLE):
        try:
            table = _read(place, place.stat().st_mtime_ns)
        except OSError:
            continue
        if len(table):
            return table
    return pd.DataFrame(columns=list(_COLUMNS))


@lru_cache(maxsize=16)
def _read(place: Path, mtime_ns: int) -> pd.DataFrame:
    """The table, read again once its file was written anew; nobody changes it."""
    try:
        table = pd.read_csv(place)
    except (OSError, ValueError) as error:
        print(f"The seeds of the study are not shown: {error}")
        return pd.DataFrame()
    return table if set(_COLUMNS) <= set(table.columns) else pd.DataFrame()
