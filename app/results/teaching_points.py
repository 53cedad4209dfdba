"""What a training says of its scores, as the table that a figure draws. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd


def points(scores: Sequence[dict[str, Any]], steps: Sequence[int]) -> pd.DataFrame:
    """Scores over the stages.

    Args:
        scores: each with stage, step (in it), task, value (a fraction) and scope.
        steps: optimizer steps of every stage.

    Returns:
        Columns task, x (0 at the start of the first stage, k at the end of stage k), value, scope.
    """
    rows = [
        (s["task"], s["stage"] - 1 + s["step"] / steps[s["stage"] - 1], s["value"], s["scope"])
        for s in scores
    ]
    return pd.DataFrame(rows, columns=["task", "x", "value", "scope"])


def first_kept(scores: Sequence[dict[str, Any]]) -> tuple[str, float, float] | None:
    """The first task's id, its score after its own stage and its last one; None before that."""
    own = next((score for score in scores if score["scope"] == "stage"), None)
    if own is None:
        return None
    last = [score for score in scores if score["task"] == own["task"]][-1]
    return own["task"], own["value"], last["value"]
