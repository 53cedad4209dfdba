"""Measure what each method keeps in a training of about a minute, on rendered scenes.

    python -m training.quick_benchmark [--seeds 0 1 2 3 4] [--methods finetune distill] [--out FILE]

The methods of a seed share their first stage and what the resting backbone makes of the images, so
the CPU time is given for the seed's first method alone, which computes both.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if not __package__:  # run as a file: its folder is searched for modules, not the project's
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import pandas as pd

from mtl_core.learning.quick_run import COUNTS, QuickRun, rendered
from mtl_core.presets import quick
from mtl_core.runs.run_directory import Run
from mtl_core.tasks import primary_metrics
from training.command import run


@dataclass
class Options:
    """Base, final and retention of every task, for each seed and method."""

    methods: tuple[str, ...] = ("finetune", "distill", "replay", "ewc")
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    order: tuple[str, ...] = tuple(stage.task for stage in quick().stages)
    strength: float = 1.0
    epochs: int = 0  # of every stage, instead of the recipe's
    images: tuple[int, int] = (COUNTS["train"], COUNTS["val"])  # trained on and measured on
    out: Path | None = None  # CSV to write


def kept(run: Run) -> Iterator[dict[str, Any]]:
    """One row per task that a later stage could harm: score after its stage, and at the end."""
    records = run.records()
    whole = records[records["scope"] == "stage"]
    for task, metric in primary_metrics().items():
        scores = whole[(whole["task"] == task) & (whole["metric"] == metric)]["value"].tolist()
        if len(scores) > 1:
            base, final = scores[0], scores[-1]
            retention = final / base if base else float("nan")
            yield {"task": task, "base": base, "final": final, "retention": retention}


def main(options: Options) -> pd.DataFrame:
    """Train all of them, print a line as each is done, and return the table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        scenes = rendered(Path(folder), dict(zip(("train", "val"), options.images, strict=True)))
        for seed in options.seeds:
            with tempfile.TemporaryDirectory(dir=folder) as place:
                first = None
                for method in options.methods:
                    choice = QuickRun(method, options.order, options.strength, seed, options.epochs)
                    began = time.process_time()
                    out = Path(place) / method
                    store = Path(place) / "maps"
                    trainer = choice.trainer(
                        scenes, out, start=first, feature_store=store, workers=0, threads=1
                    )
                    for _ in trainer.events():
                        pass
                    cpu_s = time.process_time() - began if first is None else float("nan")
                    first = first or out
                    for row in kept(Run(out)):
                        rows.append({"seed": seed, "method": method, **row, "cpu_s": cpu_s})
                        print(
                            ", ".join(f"{k} {_short(v)}" for k, v in rows[-1].items()), flush=True
                        )
    table = pd.DataFrame(rows)
    print(table.groupby(["task", "method"])["retention"].agg(["min", "mean", "max"]).round(3))
    if options.out:
        table.to_csv(options.out, index=False)
    return table


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    run(main, Options)
