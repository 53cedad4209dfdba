"""A run's records turned into the tables that the figures draw. Pure functions of data frames."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mtl_core.metrics.accuracy_matrix import ALLOWED_DROP, Retained, accuracy_matrix, retained
from mtl_core.metrics.accuracy_matrix import primary_metrics as first_metrics
from mtl_core.runs.run_directory import Run
from mtl_core.tasks import primary_metrics
from mtl_core.types import InputError


@dataclass(frozen=True)
class Drop(Retained):
    """What became of one task of a run: fractions, NaN where the base is zero.

    Attributes:
        metric: in which base and final are told.
        base_stage: number of the stage that trained the task.
        final_stage: number of the last stage after which it was measured.
        n: images measured, where that is told.
    """

    metric: str
    base_stage: int
    final_stage: int
    n: int | None

    @property
    def within_gate(self) -> bool:
        """Whether at most 5 % of the base was lost."""
        return self.drop <= ALLOWED_DROP

    def outcome(self, interval: dict[str, Any] | None) -> str:
        """``kept``, ``forgotten`` or, where its interval holds the gate, ``undecided``."""
        if interval is None:
            return "kept" if self.within_gate else "forgotten"
        low, high = interval["low"], interval["high"]
        if low is None or high is None or low <= ALLOWED_DROP < high:
            return "undecided"
        return "kept" if high <= ALLOWED_DROP else "forgotten"


def method_of(run: Run) -> str:
    """The retention method that a run was trained with."""
    return str(run.manifest.get("config", {}).get("method", ""))


def stage_order(manifest: dict[str, Any]) -> list[str]:
    """The tasks in the order in which they were trained, one per stage."""
    return [stage["task"] for stage in manifest["config"]["stages"]]


def stage_scores(frame: pd.DataFrame, metrics: dict[str, str] | None = None) -> pd.DataFrame:
    """The last whole-split score of each task after each stage.

    Returns:
        Columns stage (int), task, metric, value (fraction), n, per_class (dict or NaN).
    """
    columns = ["stage", "task", "metric", "value", "n", "per_class"]
    rows = _of_scope(frame, "stage", metrics)
    if rows.empty:
        return pd.DataFrame(columns=columns)
    return rows.groupby(["stage", "task"], as_index=False, sort=True).last()[columns]


def stage_matrix(frame: pd.DataFrame) -> pd.DataFrame:
    """R: one row per stage, one column per task, NaN where a task was not yet trained."""
    whole = _of_scope(frame, "stage")
    return pd.DataFrame() if whole.empty else accuracy_matrix(whole, metrics_of(whole))


def drops(frame: pd.DataFrame, order: list[str]) -> list[Drop]:
    """Base, final and drop of each task that has a score after its own stage."""
    matrix, scores = stage_matrix(frame), stage_scores(frame)
    found = []
    # Tasks that were trained all at once have scores after the last stage alone.
    together = len(matrix) > 0 and matrix.index.min() == len(order)
    for number, task in enumerate(order, start=1):
        number = len(order) if together else number
        if task not in matrix or number not in matrix[task].dropna().index:
            continue
        (kept,) = retained(matrix.loc[number:, [task]])
        last = scores[scores.task == task].sort_values("stage").iloc[-1]
        n = int(last.n) if pd.notna(last.n) else None
        facts = (str(last.metric), number, int(last.stage), n)
        found.append(Drop(kept.task, kept.base, kept.final, kept.drop, kept.retention, *facts))
    return found


def with_base_reached(
    judged: dict[str, dict[str, Any]], frame: pd.DataFrame, told: list[Drop]
) -> dict[str, dict[str, Any]]:
    """The verdicts with ``base_reached``: the floor's metric right after the task's own stage."""
    found = {}
    for drop in told:
        if (row := judged.get(drop.task)) is None:
            continue
        scores = stage_scores(frame, {drop.task: row["floor_metric"]})
        own = scores[(scores.task == drop.task) & (scores.stage == drop.base_stage)]
        found[drop.task] = row | {"base_reached": float(own.iloc[-1].value) if len(own) else None}
    return found


def judged_at(verdict: dict[str, Any] | None, stage: int, last: int) -> dict[str, Any]:
    """Score and drop of one stage with their intervals, as far as a task's verdict tells them."""
    verdict = verdict or {}
    own: dict[str, Any] | None
    own = {known["stage"]: known for known in verdict.get("stages", ())}.get(stage)
    if own is None:  # judged by version 0.1: the last drop alone
        own = verdict if stage == last else {}
    return own


def curves(frame: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    """Points of the forgetting curves, from the first step of stage 1 to the end of the last.

    Returns:
        Columns task, x (0 at the start of stage 1, k at the end of stage k), value (fraction),
        kept (value over the score at the end of the task's own stage, within the same scope;
        of subset evaluations only inside later stages; NaN where there is none), scope (``stage``
        or ``subset``), stage, epoch.
    """
    parts = [_points(frame, scope, order) for scope in ("stage", "subset")]
    parts = [part for part in parts if not part.empty]
    columns = ["task", "x", "value", "kept", "scope", "stage", "epoch"]
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts, ignore_index=True)[columns]


def class_drops(frame: pd.DataFrame, order: list[str], task: str) -> pd.DataFrame:
    """Each class of a task right after its stage and at the end, largest loss first.

    Returns:
        Columns name, base, final, drop_abs (fractions); empty where records name no classes.
    """
    columns = ["name", "base", "final", "drop_abs"]
    scores = stage_scores(frame)
    own = scores[scores.task == task].sort_values("stage") if not scores.empty else scores
    if task in order:
        own = own[own.stage >= order.index(task) + 1]
    tables = [row for row in own.per_class if isinstance(row, dict)] if len(own) else []
    if len(tables) < 2:
        return pd.DataFrame(columns=columns)
    first, last = (_numbers(tables[0]), _numbers(tables[-1]))
    rows = [
        (name, first[name], last[name], first[name] - last[name]) for name in first if name in last
    ]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("drop_abs", ascending=False, ignore_index=True)


def metrics_of(frame: pd.DataFrame) -> dict[str, str]:
    """Per task its drops' metric: a known task's own, of others the first one that is recorded."""
    recorded = first_metrics(frame) if "metric" in frame and "task" in frame else {}
    return recorded | primary_metrics()


def _of_scope(
    frame: pd.DataFrame, scope: str, metrics: dict[str, str] | None = None
) -> pd.DataFrame:
    wanted = metrics or metrics_of(frame)
    rows = frame.copy()
    for column in ("per_class", "n", "epoch", "step", "scope"):
        if column not in rows:
            rows[column] = np.nan
    # Records without a scope are whole-split evaluations: the word came later than the file.
    rows["scope"] = rows.scope.fillna("stage")
    rows = rows[(rows.scope == scope) & (rows.metric == rows.task.map(wanted))]
    rows = rows.dropna(subset=["stage", "value"])
    return rows.astype({"stage": int, "value": float}) if len(rows) else rows


def _points(frame: pd.DataFrame, scope: str, order: list[str]) -> pd.DataFrame:
    rows = _of_scope(frame, scope).copy()
    if rows.empty:
        return rows
    if scope == "stage":
        rows = rows.groupby(["stage", "task"], as_index=False).last()
        rows["x"] = rows.stage.astype(float)
    else:
        clock = "step" if rows.step.notna().all() else "epoch"
        rows[clock] = rows[clock].astype(float)
        # Of any scope: the last evaluation of a stage is of the whole split, not along the way.
        longest = frame.dropna(subset=["stage"]).groupby("stage")[clock].max().astype(float)
        rows["x"] = rows.stage - 1 + rows[clock] / rows.stage.map(longest).clip(lower=1)
    rows = rows.sort_values(["task", "x"], ignore_index=True)
    bases = {}
    for number, task in enumerate(order, start=1):
        if scope == "stage":
            own = rows[(rows.task == task) & (rows.stage == number)]
        else:  # the same few images right before the next stage, where that evaluation was made
            own = rows[(rows.task == task) & (rows.stage == number + 1) & (rows.step == 0)]
        if len(own):
            bases[task] = own.iloc[-1].value
    base = rows.task.map(bases).astype(float)
    if scope == "subset":
        own_stage = rows.task.map({task: n for n, task in enumerate(order, start=1)})
        base = base.where(rows.stage > own_stage)
    rows["kept"] = (rows.value / base.where(base > 0)).astype(float)
    rows["scope"] = scope
    return rows


def _numbers(table: dict[str, Any]) -> dict[str, float]:
    return {k: float(v) for k, v in table.items() if isinstance(v, (int, float)) and v == v}


def side_by_side(runs: dict[str, Run], chosen: Run) -> dict[str, Run]:
    """The runs that may be laid side by side for a visitor who looks at one of them.

    Scores compare where the images and their input size were the same. A run that is alone with
    its own gives way to the largest other group: what is shown then leaves it out.

    Args:
        runs: by name; those that trained one task alone are left out.
        chosen: the run that the visitor looks at.
    """
    groups: dict[str, dict[str, Run]] = {}
    for name, run in runs.items():
        try:
            told = drops(run.records(), stage_order(run.manifest))
        except InputError as error:  # one damaged file must not take the others' figure away
            print(f"{name} is not shown beside other runs: {error}")
            continue
        if len(told) > 1:
            groups.setdefault(measured_on(run), {})[name] = run
    own = groups.get(measured_on(chosen), {})
    largest = max(groups.values(), key=len, default={})
    return own if len(own) > 1 or len(largest) < 2 else largest


def measured_on(run: Run) -> str:
    """The same for runs whose scores compare: of the same images at the same input size."""
    images = run.manifest.get("data_fingerprint")
    return json.dumps([images, run.input_px], sort_keys=True)


def scores_table(
    frame: pd.DataFrame,
    order: list[str],
    judged: dict[str, dict[str, Any]],
    seeds: Mapping[tuple[int, str], tuple[float, float, int]],
) -> pd.DataFrame:
    """Every whole-split score of a run in plain numbers.

    Returns:
        Columns stage, task, metric, score, low and high (its 95 % interval), n, kept (of the score
        right after the task's own stage), drop, drop_low and drop_high (after later stages; its
        95 % interval), seeds_low, seeds_high and seeds (as ``seed_spread`` gives them); NaN where
        unknown.
    """
    rows, told = stage_scores(frame), {drop.task: drop for drop in drops(frame, order)}
    found = []
    for row in rows.itertuples():
        drop = told.get(row.task)
        if drop is None or row.stage < drop.base_stage:
            continue
        kept = row.value / drop.base if drop.base > 0 else math.nan
        own = judged_at(judged.get(row.task), row.stage, drop.final_stage)
        ends = [(own.get(of) or {}).get(end) for of in ("score", "drop") for end in ("low", "high")]
        lost = 1 - kept if row.stage > drop.base_stage else math.nan
        spread = seeds.get((row.stage, row.task), (math.nan, math.nan, math.nan))
        score = (row.stage, row.task, row.metric, row.value, *ends[:2], row.n, kept, lost)
        found.append((*score, *ends[2:], *spread))
    whose = ["stage", "task", "metric", "score", "low", "high", "n", "kept", "drop"]
    ends = ["drop_low", "drop_high", "seeds_low", "seeds_high", "seeds"]
    floats = dict.fromkeys(["low", "high", *ends], float)
    return pd.DataFrame(found, columns=[*whose, *ends]).astype(floats)


def together(told: list[Drop]) -> bool:
    """Whether several tasks were trained at once, so that no stage came later."""
    return len(told) > 1 and all(drop.final_stage == drop.base_stage for drop in told)
