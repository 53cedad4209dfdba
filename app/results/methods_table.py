"""Runs side by side, with the other seeds of the study that they come from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from app.results.run_tables import Drop, drops, method_of, stage_order, together
from app.results.study_seeds import seed_of, seeds_of
from mtl_core.runs.run_directory import Run

_ENDS = ("high", "low")  # of a drop's interval, as ends of what was kept


@dataclass(frozen=True)
class Told:
    """A run's drops, and the rows of all seeds of its recipe in the study that it is one of."""

    run: Run
    drops: list[Drop]
    seeds: pd.DataFrame

    @property
    def other_seeds(self) -> pd.DataFrame:
        """The rows of the seeds that are not its own."""
        return self.seeds[self.seeds.seed != seed_of(self.run)] if len(self.seeds) else self.seeds


def told_of(
    runs: Mapping[str, Run], studies: Mapping[str, pd.DataFrame] | None = None
) -> dict[str, Told]:
    """What the tables below are made from.

    Args:
        runs: by name, as ``side_by_side`` finds them.
        studies: by name the table of the study that a run is one of.
    """
    found = {}
    for name, run in runs.items():
        told = drops(run.records(), stage_order(run.manifest))
        study = (studies or {}).get(name)
        found[name] = Told(
            run, told, pd.DataFrame() if study is None else seeds_of(run, told, study)
        )
    return found


def methods_table(runs: Mapping[str, Told]) -> pd.DataFrame:
    """Runs side by side: what each kept of the old and reached on the new.

    Scores of different tasks differ in kind, so each is taken as a share of the best one here.

    Returns:
        Columns run, method, seed, own (False: another seed of that run's recipe), reached (of the
        tasks after the first stage: the score right after a task's own stage over the best such
        score of all here, a mean), kept (smallest share kept of the tasks before the last stage;
        1 where all were trained at once, so that nothing came later), low and high (its 95 %
        interval; NaN where the run was not judged, and of other seeds).
    """
    best: dict[str, float] = {}
    for told in runs.values():
        for drop in told.drops[1:]:
            others = told.seeds[told.seeds.task == drop.task].base if len(told.seeds) else ()
            best[drop.task] = max(best.get(drop.task, 0.0), drop.base, *others)
    rows = []
    for name, told in runs.items():
        method, at_once = method_of(told.run), together(told.drops)
        later = [drop for drop in told.drops if drop.final_stage > drop.base_stage]
        kept = _kept([drop.retention for drop in later], at_once)
        worst = next((drop.task for drop in later if drop.retention == kept), "")
        interval = (told.run.verdicts().get(worst) or {}).get("drop") or {}
        low, high = (1 - v if (v := interval.get(e)) is not None else math.nan for e in _ENDS)
        reached = _reached({drop.task: drop.base for drop in told.drops[1:]}, best)
        if math.isnan(kept) or math.isnan(reached):
            continue
        rows.append((name, method, seed_of(told.run), True, reached, kept, low, high))
        old = [drop.task for drop in later]
        for seed, table in told.other_seeds.groupby("seed") if len(told.other_seeds) else ():
            scores = table.set_index("task")
            kept = _kept(scores.retention.reindex(old).tolist(), at_once)
            bases = {drop.task: scores.base.get(drop.task, math.nan) for drop in told.drops[1:]}
            rows.append((name, method, seed, False, _reached(bases, best), kept, *[math.nan] * 2))
    columns = ["run", "method", "seed", "own", "reached", "kept", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def task_losses(runs: Mapping[str, Told]) -> pd.DataFrame:
    """What every run lost of every task: the numbers behind the plane of methods.

    Returns:
        Columns run, method, seed, task, metric, n (images), base, final, drop, drop_low and
        drop_high (95 % interval over the images; NaN where the run was not judged, and of other
        seeds). A task after which no stage came has no drop.
    """
    rows = []
    for name, told in runs.items():
        judged, others = told.run.verdicts(), told.other_seeds
        for drop in told.drops:
            last = drop.final_stage == drop.base_stage
            interval = {} if last else (judged.get(drop.task) or {}).get("drop") or {}
            scores = [(seed_of(told.run), drop.base, drop.final, drop.drop, interval)]
            for row in others[others.task == drop.task].itertuples() if len(others) else ():
                scores.append((row.seed, row.base, row.final, 1 - row.retention, {}))
            for seed, base, final, lost, ends in scores:
                of_seed = (name, method_of(told.run), seed, drop.task, drop.metric, drop.n)
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
