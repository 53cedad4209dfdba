"""The accuracy matrix R[stage, task] of a run, and what is read off it.

Task metrics differ (mIoU, mAP, top1), so differences are taken within a task and, where tasks are
averaged, relative to the task's own base.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

ALLOWED_DROP = 0.05  # relative to a task's own base; the gate of all verdicts


def primary_metrics(records: pd.DataFrame) -> dict[str, str]:
    """Per task the metric that drops are measured in: the first one that is recorded of it."""
    first: dict[str, str] = records.groupby("task", sort=False)["metric"].first().to_dict()
    return first


def accuracy_matrix(
    records: pd.DataFrame, metrics: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Whole-split scores: one row per stage, one column per task in training
    order; NaN before a task was trained.

    Args:
        records: as ``Run.records`` gives them.
        metrics: of each task the one to take, by default its first; tasks without one are left out,
            and so are those without a number.
    """
    whole = records[records["scope"] == "stage"]
    chosen = primary_metrics(records) if metrics is None else metrics
    primary = whole[whole["metric"] == whole["task"].map(chosen)]
    # A resumed or repeated evaluation counts once, the last time.
    latest = primary.drop_duplicates(["stage", "task"], keep="last").dropna(subset=["value"])
    matrix = latest.pivot(index="stage", columns="task", values="value").astype(float)
    trained = {task: int(matrix[task].first_valid_index()) for task in matrix.columns}
    return matrix[sorted(trained, key=trained.__getitem__)]


@dataclass(frozen=True)
class Retained:
    """A task's score right after its stage, and the one at the end.

    Attributes:
        task: its id.
        base: the score right after its own stage.
        final: the score after the last stage.
        drop: (base - final) / base, NaN where the base is zero; negative is a gain.
        retention: final / base, NaN where the base is zero.
    """

    task: str
    base: float
    final: float
    drop: float
    retention: float


def retained(matrix: pd.DataFrame) -> list[Retained]:
    """One row per task of an accuracy matrix, in the order in which they were trained."""
    rows = []
    for task in matrix.columns:
        scores = matrix[task].dropna()
        base, final = float(scores.iloc[0]), float(scores.iloc[-1])
        ratio = final / base if base > 0 else math.nan
        rows.append(Retained(task, base, final, 1 - ratio, ratio))
    return rows


def average_forgetting(matrix: pd.DataFrame) -> float:
    """Mean over the earlier tasks of the best score so far minus the final one, in points.

    A. Chaudhry et al., "Riemannian Walk for Incremental Learning", ECCV 2018, eq. 3. NaN with a
    single task, where nothing could be forgotten.
    """
    earlier = [t for t in matrix.columns if matrix[t].notna().sum() > 1]
    if not earlier:
        return math.nan
    gaps = [matrix[t].dropna().iloc[:-1].max() - matrix[t].dropna().iloc[-1] for t in earlier]
    return float(sum(gaps) / len(gaps))


def backward_transfer(matrix: pd.DataFrame) -> float:
    """Mean over the earlier tasks of final minus base, in points; negative is forgetting.

    D. Lopez-Paz, M. Ranzato, "Gradient Episodic Memory", NeurIPS 2017, eq. 3. NaN with a single
    task.
    """
    rows = [r for r in retained(matrix) if matrix[r.task].notna().sum() > 1]
    return float(sum(r.final - r.base for r in rows) / len(rows)) if rows else math.nan


def forward_transfer(bases: Mapping[str, float], alone: Mapping[str, float]) -> float:
    """Mean over later tasks of base minus the score of the same task trained alone, in points;
    negative where what came before hinders.

    The intransigence of A. Chaudhry et al., "Riemannian Walk for Incremental Learning", ECCV 2018,
    eq. 4, with its sign turned. The forward transfer of D. Lopez-Paz, M. Ranzato, eq. 4, is a score
    from before a task's stage; here a task's output slice is noise until then, so there is none.
    NaN without a later task, or where one of them was not trained alone.

    Args:
        bases: scores right after their own stage of the tasks after the first.
        alone: scores of single-task references.
    """
    gaps = [base - alone.get(task, math.nan) for task, base in bases.items()]
    return sum(gaps) / len(gaps) if gaps else math.nan
