"""What two runs lost of their earlier tasks, in one sentence. Pure functions of their records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import pandas as pd

from app.language import Words
from app.results.percentages import percent
from app.results.run_tables import (
    Drop,
    drops,
    judged_at,
    measured_on,
    method_of,
    stage_order,
    together,
)
from mtl_core.config import StageConfig
from mtl_core.runs.run_directory import Run
from mtl_core.types import InputError

_SETTINGS_NAMED = 3  # of those that differ; the others are counted
_OF_METHODS = ("temperature", "distill", "distill_neck")  # settings that a method alone reads


def loss_sentence(
    right: tuple[Run, int], left: tuple[Run, int] | None, words: Words
) -> tuple[str, str]:
    """What is gone of every earlier task on the left and on the right, by validation images.

    Args:
        right: a run and the number of its stage.
        left: the same of the other side, or None where there is none.
        words: the visitor's language.

    Returns:
        What was lost, and the scores that tell so with their numbers of images; empty where the
        records do not tell.
    """
    if left is not None and (left[0].path, left[1]) == (right[0].path, right[1]):
        return words("headline.same"), ""
    sides = {"alone": right} if left is None else {"left": left, "right": right}
    try:
        found = {where: _outcomes(*side) for where, side in sides.items()}
    except InputError:
        return "", ""
    told = [drop for outcomes in found.values() for drop, _ in outcomes]
    if not told:
        alone = any(len(run.stages) < 2 for run, _ in sides.values())
        return "" if alone else words("headline.nothing_came"), ""
    said = words("headline.then").join(
        _clause(sides[where][0], outcomes, words(f"headline.{where}"), words)
        for where, outcomes in found.items()
    )
    return said[:1].upper() + said[1:] + words("headline.end"), _measured(found, words)


def _measured(found: dict[str, list[tuple[Drop, str]]], words: Words) -> str:
    """The scores of each side, before and after, and on how many images."""
    sides = {
        where: words("headline.comma").join(
            words(
                "headline.score" if drop.n else "headline.score_uncounted",
                metric=drop.metric,
                base=f"{drop.base:.3f}",
                final=f"{drop.final:.3f}",
                n=drop.n,
            )
            for drop, _ in outcomes
        )
        for where, outcomes in found.items()
        if outcomes
    }
    each = [
        words("headline.scores", where=words(f"headline.{where}"), scores=scores).strip()
        for where, scores in sides.items()
    ]
    return words("headline.measured", scores=words("headline.then").join(each))


def _outcomes(run: Run, stage: int) -> list[tuple[Drop, str]]:
    """What became of each task that a stage up to this one came after, the largest loss first."""
    records = run.records()
    upto = records[pd.to_numeric(records["stage"]) <= stage]
    told = drops(upto, stage_order(run.manifest)) if len(upto) else []
    after = [d for d in told if d.final_stage > d.base_stage and d.drop == d.drop]
    judged, last = run.verdicts(), run.stages[-1].number
    return [
        (d, d.outcome(judged_at(judged.get(d.task), d.final_stage, last).get("drop")))
        for d in sorted(after, key=lambda d: -d.drop)
    ]


def _clause(run: Run, outcomes: list[tuple[Drop, str]], where: str, words: Words) -> str:
    if not outcomes:
        at_once = together(drops(run.records(), stage_order(run.manifest)))
        return words("headline.at_once" if at_once else "headline.no_later", where=where)
    lost = words("headline.comma").join(
        words(
            "headline.part" if outcome == "forgotten" else "headline.perhaps_part",
            amount=percent(drop.drop),
            task=words.task(drop.task),
        )
        for drop, outcome in outcomes
        if outcome == "forgotten" or (outcome == "undecided" and not drop.within_gate)
    )
    if lost:
        return words("headline.lost", where=where, what=lost)
    unsure = any(outcome == "undecided" for _, outcome in outcomes)
    return words("headline.perhaps" if unsure else "headline.kept", where=where)


def differences(runs: Sequence[Run], words: Words) -> str:
    """What besides the method differs between runs, or nothing where they compare."""
    found = []
    configs = [run.manifest["config"] for run in runs]
    for key, values in (
        ("input", [run.input_px for run in runs]),
        ("images", [run.manifest.get("data_fingerprint") for run in runs]),
        ("seed", [config.get("seed") for config in configs]),
        ("preset", [config.get("preset") for config in configs]),
        ("frozen", [config.get("model", {}).get("frozen_blocks") for config in configs]),
        ("order", [stage_order(run.manifest) for run in runs]),
        ("start", [run.manifest.get("initial_weights", {}) for run in runs]),
    ):
        unlike = [value for i, value in enumerate(values) if value not in values[:i]]
        if len(unlike) > 1:
            told = words("differs.and").join(map(str, unlike))
            found.append(words(f"differs.{key}", values=told))
    if changed := _settings_that_differ(configs):
        more = len(changed) - _SETTINGS_NAMED
        what = ", ".join(changed[:_SETTINGS_NAMED]) + (
            words("differs.more", n=more) if more > 0 else ""
        )
        found.append(words("differs.settings", what=what))
    return words("differs.besides", what="; ".join(found)) if found else ""


def _settings_that_differ(configs: Sequence[dict[str, Any]]) -> list[str]:
    """Names of the stages' settings that are not the method's own and differ for some task."""
    first, *others = ({s["task"]: s for s in config.get("stages", [])} for config in configs)
    return [
        described.name
        for described in fields(StageConfig)
        if described.name not in _OF_METHODS
        and any(
            first[task].get(described.name) != other[task].get(described.name)
            for other in others
            for task in first.keys() & other.keys()
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
