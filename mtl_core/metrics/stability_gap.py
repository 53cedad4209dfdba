"""The dip inside a stage: how deep an earlier task falls while the new one is trained.

M. De Lange et al., "Continual Evaluation for Lifelong Learning: Identifying the Stability Gap",
ICLR 2023: the minimum accuracy within a task (section 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Dip:
    """One earlier task in one stage, on the subset images.

    Attributes:
        stage: its number.
        task: the earlier task.
        before: the subset's score as the stage began.
        lowest: the lowest score inside the stage.
    """

    stage: int
    task: str
    before: float
    lowest: float


def dips(records: pd.DataFrame, metrics: dict[str, str]) -> list[Dip]:
    """All dips that the subset evaluations of a run show.

    Args:
        records: as ``Run.records`` gives them.
        metrics: the metric per task in which a dip is measured.
    """
    subsets = records[(records["scope"] == "subset")]
    subsets = subsets[subsets["metric"] == subsets["task"].map(metrics)]
    found = []
    for (stage, task), rows in subsets.groupby(["stage", "task"], sort=True):
        rows = rows.drop_duplicates("step", keep="last").sort_values("step")
        start = rows[rows["step"] == 0]
        if start.empty or len(rows) < 2:
            continue  # the task's own stage, or a stage that was not watched from its beginning
        lowest = rows[rows["step"] > 0]["value"].astype(float).min()
        found.append(Dip(int(stage), str(task), float(start["value"].iloc[0]), float(lowest)))
    return found
