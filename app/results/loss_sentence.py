"""What two runs lost of their earlier tasks, in one sentence. Pure functions of their records."""

from __future__ import annotations

from dataclasses import fields

import pandas as pd

from app.language import Words
from app.results.percentages import percent
from app.results.run_tables import drops, measured_on, method_of, stage_matrix, stage_order
from mtl_core.config import StageConfig
from mtl_core.metrics.accuracy_matrix import ALLOWED_DROP
from mtl_core.runs.run_directory import Run
from mtl_core.types import InputError

# From here on a loss is told in tenths, below it in percent.
_TENTHS_FROM = 0.15
_OF_METHODS = ("temperature", "distill", "distill_neck")  # settings that a method alone reads


def loss_sentence(right: tuple[Run, int], left: tuple[Run, int] | None, words: Words) -> str:
    """What is gone on the left and on the right, of the task that lost most on either side.

    Args:
        right: a run and the number of its stage.
        left: the same of the other side, or None where there is none.
        words: the visitor's language.

    Returns:
        A sentence; empty where the records do not tell.
    """
    sides = [side for side in (left, right) if side is not None]
    try:
        lost = [_lost(*side) for side in sides]
    except InputError:
        return ""
    worst = max((pair for side in lost for pair in side.items()), key=lambda p: p[1], default=None)
    if worst is None:
        alone = any(len(run.stages) < 2 for run, _ in sides)
        return "" if alone else words("headline.nothing_came")
    said = [_clause(side, found, worst[0], words) for side, found in zip(sides, lost, strict=True)]
    task = words.task(worst[0])
    task = task[:1].upper() + task[1:]
    if left is None:
        return words("headline.one", task=task, right=said[0])
    return words("headline.sides", task=task, left=said[0], right=said[1])


def _lost(run: Run, stage: int) -> dict[str, float]:
    """Relative loss of every task that a stage up to this one came after."""
    records = run.records()
    upto = records[pd.to_numeric(records["stage"]) <= stage]
    told = drops(upto, stage_order(run.manifest)) if len(upto) else []
    return {d.task: d.drop for d in told if d.final_stage > d.base_stage and d.drop == d.drop}


def _clause(side: tuple[Run, int], lost: dict[str, float], task: str, words: Words) -> str:
    run, stage = side
    if task not in lost:
        matrix = stage_matrix(run.records())
        trained = task in matrix and matrix.loc[:stage, task].notna().any()
        return words("headline.fresh" if trained else "headline.not_yet")
    if lost[task] > ALLOWED_DROP:
        tenths = words("headline.tenths", count=round(lost[task] * 10))
        amount = tenths if lost[task] >= _TENTHS_FROM else percent(lost[task])
        return words("headline.gone", amount=amount)
    judged = run.verdicts().get(task)
    unsure = stage == run.stages[-1].number and judged and judged["verdict"] == "undecided"
    return words("headline.perhaps" if unsure else "headline.kept")


def differences(left: Run, right: Run, words: Words) -> str:
    """What besides the method differs between two runs, or nothing where they compare."""
    found = []
    if left.input_px != right.input_px:
        found.append(words("differs.input", left=left.input_px, right=right.input_px))
    if left.manifest.get("data_fingerprint") != right.manifest.get("data_fingerprint"):
        found.append(words("differs.images"))
    for key in ("seed", "preset"):
        ours, theirs = (r.manifest["config"].get(key) for r in (left, right))
        if ours != theirs:
            found.append(words(f"differs.{key}", left=ours, right=theirs))
    if stage_order(left.manifest) != stage_order(right.manifest):
        found.append(words("differs.order"))
    if changed := _settings_that_differ(left, right):
        found.append(words("differs.settings", what=", ".join(changed)))
    starts = [r.manifest.get("initial_weights", {}) for r in (left, right)]
    if starts[0] != starts[1]:
        found.append(words("differs.start"))
    return words("differs.besides", what="; ".join(found)) if found else ""


def _settings_that_differ(left: Run, right: Run) -> list[str]:
    """Names of the stages' settings that are not the method's own and differ for some task."""
    ours, theirs = (
        {stage["task"]: stage for stage in run.manifest["config"].get("stages", [])}
        for run in (left, right)
    )
    return [
        described.name
        for described in fields(StageConfig)
        if described.name not in _OF_METHODS
        and any(
            ours[task].get(described.name) != theirs[task].get(described.name)
            for task in ours.keys() & theirs.keys()
        )
    ]


def opening_pair(runs: dict[str, Run]) -> tuple[str, str] | None:
    """Names of a run with nothing against forgetting and of one that distils, measured alike.

    None where there is no such pair.
    """
    for bare, one in runs.items():
        for kept, other in runs.items():
            methods = method_of(one), method_of(other)
            if methods == ("finetune", "distill") and measured_on(one) == measured_on(other):
                return bare, kept
    return None
