"""A study's tables as text: a head and rows of cells each."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mtl_core.analysis.across_seeds import final_difference
from mtl_core.metrics.bootstrap import Interval, gate
from mtl_core.tasks import primary_metrics
from training.study.judged import DEFAULT, JudgedStudy, decided
from training.study.runs import by_method

Table = tuple[list[str], list[list[str]]]


def percent(value: float, sign: bool = False) -> str:
    """A fraction in percent; a dash where it is undefined."""
    if value is None or math.isnan(value):
        return "–"
    return f"{100 * value:{'+' if sign else ''}.1f}"


def interval(found: Interval, sign: bool = True) -> str:
    """Value and ends in percent."""
    ends = f"{percent(found.low, sign)} to {percent(found.high, sign)}"
    return f"{percent(found.value, sign)} ({ends})"


def spread(values: pd.Series | np.ndarray) -> str:
    """A mean in percent, with the standard deviation over seeds where there are several."""
    values = np.asarray(values, float)
    deviation = f" ± {percent(float(values.std(ddof=1)))}" if len(values) > 1 else ""
    return percent(float(values.mean())) + deviation


def drop_cell(judged: JudgedStudy, label: str, task: str) -> str:
    """A drop with its interval, or why there is none."""
    why = judged.why_undefined(label, task)
    found = judged.drops[label].get(task)
    if found is None or math.isnan(found.value):
        return f"– ({why})"
    return f"{percent(found.value, True)} ({why})" if why else interval(found)


def verdict(judged: JudgedStudy, frame: pd.DataFrame, label: str) -> str:
    """Of a method: pass only where every task passes, and reaches its floor in every seed."""
    found = []
    for task, own in frame[frame["method"] == label].groupby("task", sort=False):
        drop = judged.drops[label].get(str(task))
        found.append(gate(drop, float((own["reached"] - own["floor"]).min()), 0.0))
    return next((word for word in ("fail", "undecided") if word in found), "pass")


def main_table(judged: JudgedStudy, frame: pd.DataFrame) -> Table:
    """A row per method that fits a page: drops of all seeds, what it ends with, its verdict."""
    earlier = [task for task in judged.tasks if any(task in d for d in judged.drops.values())]
    head = ["method", "seeds", *(f"drop of {task}, %" for task in earlier)]
    head += [f"{task} final" for task in judged.tasks] + ["gate"]
    rows = []
    for label, runs in judged.methods.items():
        own = frame[frame["method"] == label]
        finals = [own[own["task"] == task]["final"].mean() for task in judged.tasks]
        rows.append(
            [label, str(len(runs)), *(drop_cell(judged, label, task) for task in earlier)]
            + [percent(final) for final in finals]
            + [verdict(judged, frame, label)]
        )
    return head, rows


def reached_table(judged: JudgedStudy, frame: pd.DataFrame) -> Table:
    """A row per method and task: what it had, what is left, and what the task reaches alone."""
    head = ["method", "task", "base", "final", "alone", "final of alone, %", "seeds that pass"]
    rows = []
    for label in judged.methods:
        for task in judged.tasks:
            own = frame[(frame["method"] == label) & (frame["task"] == task)]
            if own.empty:
                continue
            alone = np.array([scores[0] for scores in judged.alone.get(task, {}).values()])
            share = judged.of_alone(label, task)
            rows.append(
                [
                    label,
                    f"{task} ({own['metric'].iloc[0]})",
                    spread(own["base"]),
                    spread(own["final"]),
                    spread(alone) if len(alone) else "not trained alone",
                    interval(share, False) if share else "no common seed",
                    f"{(own['verdict'] == 'pass').sum()}/{len(own)}",
                ]
            )
    return head, rows


def transfer_table(table: pd.DataFrame) -> Table:
    """A row per method: the measures of continual learning, the deepest dip and the time."""
    head = ["method", "old kept, %", "forgetting", "backward transfer", "forward transfer"]
    head += ["deepest dip, %", "minutes"]
    rows = [
        [
            str(row["method"]),
            percent(row["old"]),
            percent(row["forgetting"]),
            percent(row["backward"], sign=True),
            percent(row["forward"], sign=True),
            percent(row["dip"]),
            f"{row['seconds'] / 60:.0f}",
        ]
        for _, row in table.iterrows()
    ]
    return head, rows


def differences(judged: JudgedStudy) -> Table:
    """Each method's final scores minus the default's in points, over the seeds of both."""
    metrics = [primary_metrics()[task] for task in judged.tasks]
    head = ["method", "seeds", *(f"{metric} − {judged.default}" for metric in metrics)]
    rows = []
    default = judged.methods.get(judged.default, {})
    for label, runs in judged.methods.items():
        seeds = sorted(set(runs) & set(default))
        if label == judged.default or not seeds:
            continue
        cells = [
            interval(final_difference(judged.default, label, task, judged.methods))
            for task in judged.tasks
        ]
        rows.append([label, str(len(seeds)), *cells])
    return head, rows


def sentences(judged: JudgedStudy) -> list[str]:
    """One sentence per pair of methods whose difference the data decides; then the others."""
    said, open_pairs = [], []
    for pair in judged.pairs:
        if not decided(pair.mean):
            open_pairs.append(f"{pair.one} and {pair.other}")
            continue
        parts = ", ".join(
            f"{task} {interval(gap)}" if decided(gap) else f"{task} undecided"
            for task, gap in pair.tasks.items()
        )
        seeds = f"{pair.seeds} seeds" if pair.seeds > 1 else "one seed"
        said.append(
            f"{pair.one} keeps more than {pair.other}: {interval(pair.mean)} points of drop less, "
            f"a mean of {parts}; {seeds}."
        )
    if open_pairs:
        said.append(f"Undecided: {'; '.join(open_pairs)}.")
    if not said:
        said.append("Nothing to compare: expected two methods of one seed and several stages.")
    return said


def ablation_table(frame: pd.DataFrame, tasks: list[str], alone: dict[str, float]) -> Table:
    """The default with all its parts, without each, and with nothing distilled; one seed.

    No rows where the study left nothing out.
    """
    seeds = frame[frame["without"] != ""]["seed"]
    nothing = f"{DEFAULT}-x0"
    own = frame[frame["method"].isin([DEFAULT, nothing]) | (frame["without"] != "")]
    own = own[own["seed"] == seeds.min()]
    if own.empty:
        return [], []
    head = ["recipe"]
    for task in tasks:
        head += [f"{task} base", f"{task} final", f"{task} drop, %"]
    names = {DEFAULT: "the whole recipe", nothing: "nothing distilled"}
    rows = []
    for _, row in by_method(own, alone).iterrows():
        label = str(row["method"])
        cells = [names.get(label, label.removeprefix(f"{DEFAULT}-").replace("-", " "))]
        for task in tasks:
            cells += [percent(row[f"base {task}"]), percent(row[f"final {task}"])]
            cells += [percent(row[f"drop {task}"], sign=True)]
        rows.append(cells)
    ends = list(names.values())  # first the whole, then nothing of it, then its parts
    rows.sort(key=lambda row: ends.index(row[0]) if row[0] in ends else len(ends))
    return head, rows
