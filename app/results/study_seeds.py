"""The other seeds of a run, from the table of the study that it is one of."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from app.results.run_tables import Drop, method_of
from mtl_core.runs.run_directory import Run

_SAME = 1e-6  # of a score that was written twice
# What a row of the study is of, besides its seed and its task.
_RECIPE = ["method", "strength", "without"]


def seeds_of(run: Run, told: list[Drop], study: pd.DataFrame) -> pd.DataFrame:
    """The study's rows of this run's recipe, all seeds; none where the run is not one of them.

    Args:
        run: the run.
        told: what became of its tasks.
        study: as ``training.compare`` writes ``results.csv``: a row per recipe, seed and task.
    """
    of_method = study[(study.method == method_of(run)) & (study.seed == seed_of(run))]
    for _, rows in of_method.groupby(_RECIPE, dropna=False):
        finals = rows.set_index("task").final
        if told and all(abs(finals.get(d.task, math.inf) - d.final) < _SAME for d in told):
            keys = study[_RECIPE].fillna("")
            return study[(keys == rows[_RECIPE].fillna("").iloc[0]).all(axis=1)]
    return study.iloc[:0]


def seed_of(run: Run) -> int | None:
    """The seed that a run was trained with."""
    manifest = run.manifest
    seed: int | None = manifest.get("seed", manifest.get("config", {}).get("seed"))
    return seed


def seed_spread(
    rows: pd.DataFrame, told: list[Drop]
) -> Mapping[tuple[int, str], tuple[float, float, int]]:
    """Lowest and highest score of all seeds and their number, per stage and task, where known."""
    found = {}
    for drop in told:
        own = rows[rows.task == drop.task]
        for stage, column in ((drop.base_stage, "base"), (drop.final_stage, "final")):
            values = own[column].dropna()
            if len(values) > 1:
                found[stage, drop.task] = (values.min(), values.max(), len(values))
    return found
