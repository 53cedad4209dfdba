"""Runs side by side, with the other seeds of the study that they come from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from app.results.run_tables import drops, method_of, stage_order, together
from app.results.study_seeds import seed_of, seeds_of
from mtl_core.runs.run_directory import Run

_ENDS = ("high", "low")  # of a drop's interval, as ends of what was kept


def methods_table(
    runs: dict[str, Run], studies: Mapping[str, pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Runs side by side: what each kept of the old and reached on the new.

    Scores of different tasks differ in kind, so each is taken as a share of the best one here.

    Args:
        runs: by name, as ``side_by_side`` finds them.
        studies: by name the table of the study that a run is one of.

    Returns:
        Columns run, method, seed, own (False: another seed of that run's recipe), reached (of the
        tasks after the first stage: the score right after a task's own stage over the best such
        score of all here, a mean), kept (smallest share kept of the tasks before the last stage;
        1 where all were trained at once, so that nothing came later), low and high (its 95 %
        interval; NaN where the run was not judged, and of other seeds).
    """
    found = {name: drops(run.records(), stage_order(run.manifest)) for name, run in runs.items()}
    seeds = {
        name: seeds_of(run, found[name], study)
        for name, run in runs.items()
        if (study := (studies or {}).get(name)) is not None
    }
    best: dict[str, float] = {}
    for name, told in found.items():
        for drop in told[1:]:
            others = seeds[name][seeds[name].task == drop.task].base if name in seeds else ()
            best[drop.task] = max(best.get(drop.task, 0.0), drop.base, *others)
    rows = []
    for name, told in found.items():
        method, seed = method_of(runs[name]), seed_of(runs[name])
        later = [drop for drop in told if drop.final_stage > drop.base_stage]
        kept = _kept([drop.retention for drop in later], together(told))
        worst = next((drop.task for drop in later if drop.retention == kept), "")
        interval = (runs[name].verdicts().get(worst) or {}).get("drop") or {}
        low, high = (1 - v if (v := interval.get(e)) is not None else math.nan for e in _ENDS)
        reached = _reached({drop.task: drop.base for drop in told[1:]}, best)
        if math.isnan(kept) or math.isnan(reached):
            continue
        rows.append((name, method, seed, True, reached, kept, low, high))
        old = [drop.task for drop in later]
        of_study = seeds[name].groupby("seed") if name in seeds else ()
        for other, table in of_study:
            if other == seed:
                continue
            scores = table.set_index("task")
            kept = _kept(scores.retention.reindex(old).tolist(), together(told))
            bases = {drop.task: scores.base.get(drop.task, math.nan) for drop in told[1:]}
            rows.append((name, method, other, False, _reached(bases, best), kept, *[math.nan] * 2))
    columns = ["run", "method", "seed", "own", "reached", "kept", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def task_losses(
    runs: dict[str, Run], studies: Mapping[str, pd.DataFrame] | None = None
) -> pd.DataFrame:
    """What every run lost of every task: the numbers behind the plane of methods.

    Args:
        runs: as ``methods_table``.
        studies: as ``methods_table``.

    Returns:
        Columns run, method, seed, task, metric, n (images), base, final, drop, drop_low and
        drop_high (95 % interval over the images; NaN where the run was not judged, and of other
        seeds). A task after which no stage came has no drop.
    """
    rows = []
    for name, run in runs.items():
        told = drops(run.records(), stage_order(run.manifest))
        judged, study = run.verdicts(), (studies or {}).get(name)
        others = seeds_of(run, told, study) if study is not None else pd.DataFrame()
        others = others[others.seed != seed_of(run)] if len(others) else others
        for drop in told:
            last = drop.final_stage == drop.base_stage
            interval = {} if last else (judged.get(drop.task) or {}).get("drop") or {}
            scores = [(seed_of(run), drop.base, drop.final, drop.drop, interval)]
            for row in others[others.task == drop.task].itertuples() if len(others) else ():
                scores.append((row.seed, row.base, row.final, 1 - row.retention, {}))
            for seed, base, final, lost, ends in scores:
                of_seed = (name, method_of(run), seed, drop.task, drop.metric, drop.n)
                low, high = (ends.get(end, math.nan) for end in ("low", "high"))
                rows.append((*of_seed, base, final, math.nan if last else lost, low, high))
    columns = ["run", "method", "seed", "task", "metric", "n"]
    return pd.DataFrame(rows, columns=[*columns, "base", "final", "drop", "drop_low", "drop_high"])


def _kept(shares: Sequence[float], at_once: bool) -> float:
    # Nothing can be kept of a base of zero, and min() would overlook that.
    known = shares and not any(map(math.isnan, shares))
    return 1.0 if at_once else min(shares) if known else math.nan


def _reached(bases: Mapping[str, float], best: Mapping[str, float]) -> float:
    shares = [base / best[task] for task, base in bases.items() if best[task] > 0]
    return sum(shares) / len(shares) if shares else math.nan
