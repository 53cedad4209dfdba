"""Which strength of every method is best on held-out images, and whether its sweep says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from mtl_core.types import InputError

KNOBS = ("strength", "rate")  # factors of a Cell that a sweep varies


def average_finals(frame: pd.DataFrame) -> pd.DataFrame:
    """What a method ends with, on average over the tasks: a row per family, strength and rate.

    D. Lopez-Paz, M. Ranzato, "Gradient Episodic Memory for Continual Learning", 2017, eq. 2. A
    share of the best score instead would let the task with the smallest scores decide, whose
    shares are the least certain.

    Args:
        frame: as ``runs.results`` gives it.

    Columns: per seed the mean of the final scores, an undefined one counted as 0; NaN where that
        seed is missing.
    """
    whole = frame[(frame["without"] == "") & (frame["method"] != "single")]
    table = whole.assign(final=whole["final"].fillna(0.0))
    return table.pivot_table("final", ["family", *KNOBS], "seed")


def chosen(frame: pd.DataFrame) -> dict[str, Any]:
    """Per method that was swept its best strength and rate, all that were tried, and where the best
    is an end of its range, so that more should be tried.

    Strengths of a method are compared over the seeds that all of them have; one that has none such
    is left out.
    """
    found = {}
    for family, every in average_finals(frame).groupby(level="family", sort=False):
        common = every.dropna(axis="columns")
        if len(common) < 2 or common.empty:
            continue
        rows = common.mean(axis="columns").rename("score").reset_index()
        best = rows.loc[rows["score"].idxmax()]
        ends = [
            knob
            for knob in KNOBS
            if rows[knob].nunique() > 1 and best[knob] in (rows[knob].min(), rows[knob].max())
        ]
        found[str(family)] = {
            **{knob: float(best[knob]) for knob in KNOBS},
            "seeds": common.shape[1],
            "at_an_end_of": ends,
            "tried": rows[[*KNOBS, "score"]].round(5).to_dict("records"),
        }
    return found


def sentences(methods: dict[str, Any]) -> list[str]:
    """One per method: its best strength, and what is left to try."""
    said = []
    for method, found in methods.items():
        tried = ", ".join(
            " x ".join(f"{row[knob]:g}" for knob in KNOBS) + f": {row['score']:.3f}"
            for row in found["tried"]
        )
        sentence = f"{method}: best at strength {found['strength']:g}"
        if found["rate"] != 1 or any(row["rate"] != 1 for row in found["tried"]):
            sentence += f" and rate {found['rate']:g}"
        for knob in found["at_an_end_of"]:
            sentence += f", an end of the range of its {knob}: try beyond it"
        if len(found["tried"]) < 3:
            sentence += ", of two tried: try at least three"
        seeds = "one seed" if found["seeds"] == 1 else f"{found['seeds']} seeds"
        said.append(
            f"{sentence}. Tried (strength x rate: mean of the final scores, {seeds}): {tried}."
        )
    return said


def read_strengths(path: Path, preset: str) -> dict[str, dict[str, float]]:
    """Per method its strength and rate, from a file that a sweep wrote.

    Raises:
        InputError: the file is not one, or its sweep was made with another preset.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = {
            str(method): {knob: float(values[knob]) for knob in KNOBS}
            for method, values in content["methods"].items()
        }
        of_preset = content["preset"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: expected the strengths.json that training.compare --sweep writes ({error!r})."
        ) from error
    if of_preset != preset:
        raise InputError(
            f"{path} was chosen with preset {of_preset}: expected --preset {of_preset}, or a sweep "
            f"with {preset}."
        )
    return found
