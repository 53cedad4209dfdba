"""Scores and predictions of a network in training, on their way into the run directory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mtl_core.data.splits import Split
from mtl_core.learning.evaluation import Frozen, measuring, score_rows
from mtl_core.learning.events import Evaluated, Evaluating
from mtl_core.learning.stage import StageState
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.runs.predictions import PredictionFile
from mtl_core.runs.records import append_records


def first_of(split: Split, n: int) -> Split:
    """The subset: n images spread evenly over a split, always the same ones."""
    size = len(split.items)
    n = min(n, size)
    return replace(split, items=[split.items[i * size // n] for i in range(n)])


def record(
    out: Path,
    number: int,
    state: StageState,
    network: UnifiedVisionSystem,
    frozen: Frozen,
    splits: list[Split],
    subset_n: int = 0,
) -> Iterator[Evaluating | Evaluated]:
    """Score a network and append the scores to records.jsonl.

    Args:
        out: the run directory.
        number: of the stage.
        state: how far it is.
        network: the averaged weights at a stage's end, the moving ones inside it.
        frozen: the part of its backbone that is run as a graph.
        splits: one a task that was trained so far.
        subset_n: images of each that are evaluated; 0 for all, whose predictions are kept.
    """
    scope, rows = "subset" if subset_n else "stage", []
    for split in splits:
        task = split.task
        keep = None if subset_n else PredictionFile(out / "predictions", number, task)
        measured = first_of(split, subset_n) if subset_n else split
        running = measuring(network, frozen, measured, keep.add if keep else None)
        while True:
            try:
                yield Evaluating(task, next(running), len(measured.items))
            except StopIteration as ended:
                score = ended.value
                break
        if keep:
            keep.write()
        place = {"stage": number, "step": state.step, "epoch": state.epoch, "task": task}
        rows += score_rows(score, place, scope)
        yield Evaluated(number, state.step, state.epoch, task, scope, score)
    append_records(out / "records.jsonl", rows)
