"""What an image lost, why its photograph is missing, and the list of all, in words."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd

from app.language import Words
from app.palette import is_background, readable
from app.results.percentages import percent
from app.services.runs import SHIPPED
from app.services.validation_images import SPLIT
from mtl_core.runs.run_directory import Run
from mtl_core.tasks import TASKS


def missing_reason(run: Run, name: str, task: str, why: str, words: Words) -> str:
    """Whose images are missing, why (a sentence's key), and, folded, what brings them, if anything.

    A command names a shipped run by its place in the project, one from the Hub by its id, and any
    other one as RUN: where that lies on the host is not told.
    """
    measured = run.manifest.get("data_fingerprint", {}).get(task, {}).get("eval", {})
    split = measured.get("split", SPLIT)
    if split != SPLIT:  # whatever else is missing, this page would not show them
        told = {"run": name, "task": words.task(task), "split": split, "shown": SPLIT}
        return words("broken.other_split", **told)
    reason_words = words(why, run=name, task=words.task(task))
    shipped = run.path.parent.resolve() == SHIPPED
    from_hub = "/" in run.name
    if why == "broken.damaged":  # no command mends a file
        return reason_words
    if why == "broken.no_predictions" and from_hub:
        return reason_words + _folded(words("broken.remedy_hub", run=run.name), words)
    if why == "broken.no_predictions":
        place = f"assets/runs/{run.path.name}" if shipped else "RUN"
        command = f"python -m training.rescore --run {place} --data DIR"
        remedy = words("broken.remedy_predictions", command=command)
    else:
        # The page finds the shipped runs by itself; another must be named again.
        named = "" if shipped else f" --run {run.name if from_hub else 'RUN'}"
        remedy = words("broken.remedy", command=f"python app.py{named} --data DIR")
    what_run = "" if shipped or from_hub else f" {words('broken.remedy_run')}"
    return reason_words + _folded(remedy + what_run, words)


def _folded(remedy: str, words: Words) -> str:
    """Commands for the one who serves the page, whom alone they help."""
    summary = escape(words("broken.remedy_title"))
    return f"\n\n<details><summary>{summary}</summary>{escape(remedy, quote=False)}</details>"


def key_of(kind: str) -> str:
    """A kind of loss as it stands in the keys of its words: "lost box" -> "lost_box"."""
    return kind.replace(" ", "_")


def kind_explanations(task: str, kinds: Sequence[str], words: Words) -> str:
    """What each kind of loss means and how it is counted, as HTML."""
    if not kinds:
        return ""
    told = "".join(
        f"<div><dt>{escape(words(f'broken.{key_of(kind)}'))}</dt>"
        f"<dd>{escape(words(f'kind.{key_of(kind)}'))}</dd></div>"
        for kind in kinds
    )
    unit = escape(words(f"kind.unit_{TASKS.infos[task].kind}"))
    return f"<dl class='oh-kinds'>{told}</dl><p class='oh-quiet oh-small'>{unit}</p>"


def amounts(row: dict[str, Any], words: Words) -> str:
    """What an image lost, in words: masks as shares of the image, boxes counted."""
    return ", ".join(
        f"{words(f'broken.{key_of(kind)}')} "
        + (f"{amount:.0f}" if TASKS.infos[row["task"]].kind == "boxes" else percent(amount))
        for kind, amount in row["kinds"].items()
    )


def caption(row: dict[str, Any], words: Words) -> str:
    """Under a small image: the classes and what they lost."""
    # Background is what masks are flooded from: it says nothing of what an image shows.
    named = [name for name in row["classes"] if not is_background(name)]
    classes = ", ".join(words.class_name(name) for name in named)
    return f"{classes}: {amounts(row, words)}" if classes else amounts(row, words)


def table(rows: list[dict[str, Any]], words: Words) -> pd.DataFrame:
    """All rows, largest loss first."""
    return pd.DataFrame(
        [
            (
                row["image"],
                percent(row["loss"]),
                amounts(row, words),
                ", ".join(readable(words.class_name(name)) for name in row["classes"]),
            )
            for row in rows
        ],
        columns=[words(f"broken.column_{name}") for name in ("image", "loss", "kinds", "classes")],
    )
