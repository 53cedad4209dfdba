"""A run judged: the drop of every task with its interval, and whether it was kept."""

from __future__ import annotations

from typing import Any

from mtl_core.analysis.regressions import keep_regressions
from mtl_core.config import RunConfig
from mtl_core.data.splits import Split
from mtl_core.metrics.base import Meter
from mtl_core.metrics.bootstrap import (
    RESAMPLES,
    Interval,
    Sampled,
    StageScore,
    Verdict,
    drop_interval,
    gate,
    resamples,
)
from mtl_core.metrics.calibration import calibration
from mtl_core.runs.predictions import prediction_key, read_predictions
from mtl_core.runs.run_directory import Run, RunRecords
from mtl_core.runs.sealed_json import write_sealed
from mtl_core.tasks import TASKS
from mtl_core.types import InputError


def truths_of(split: Split) -> list[Any]:
    """Every item's truth, as meters take it."""
    return [TASKS[split.task].read(item, split)[1] for item in split.items]


def stored_meter(
    run: RunRecords, stage: int, split: Split, truths: list[Any] | None = None
) -> Meter:
    """A meter fed with the predictions that a run kept of a stage, in the split's order.

    Args:
        run: with its predictions.
        stage: its number.
        split: the images that they were made of.
        truths: as truths_of gives them, for one who asks for several meters.

    Raises:
        InputError: predictions are missing, or belong to other images.
    """
    task = TASKS[split.task](run.class_names[split.task])
    stored = read_predictions(run.path / "predictions", stage, split.task, run.class_names)
    wanted = {prediction_key(item) for item in split.items}
    if wanted != set(stored):
        strange = sorted(wanted ^ set(stored))[0]
        raise InputError(
            f"{run.path} keeps predictions of other images than {split.name}: {strange} stands "
            "in only one of them."
        )
    meter = task.meter(split)
    for item, truth in zip(split.items, truths or truths_of(split), strict=True):
        meter.add(stored[prediction_key(item)], truth)
    return meter


def scored_stages(run: RunRecords) -> dict[str, list[int]]:
    """Per task the stages after which its whole split was scored, first to last."""
    records = run.records()
    stages = records[records["scope"] == "stage"].groupby("task")["stage"]
    return {str(task): sorted({int(stage) for stage in own}) for task, own in stages}


def verdicts(run: Run, splits: dict[str, Split], draws: int = RESAMPLES) -> list[Verdict]:
    """One verdict per task that the run trained.

    Args:
        run: with its predictions.
        splits: per task the images that it was evaluated on; tasks that the run was not trained
            yet are passed over.
        draws: of the bootstrap.
    """
    scored = scored_stages(run)
    floors = RunConfig.from_dict(run.manifest["config"]).floors
    found = []
    for task in [task for task in splits if task in scored]:
        split = splits[task]
        metric = TASKS.infos[task].metrics[0]
        truths, counts = truths_of(split), resamples(len(split.items), draws)
        meters = {stage: stored_meter(run, stage, split, truths) for stage in scored[task]}
        drawn = {stage: Sampled.of(meter, metric, counts) for stage, meter in meters.items()}
        base = drawn[scored[task][0]]
        stages = [
            StageScore(n, Interval.of(*own), None if own is base else drop_interval(base, own))
            for n, own in drawn.items()
        ]
        final, drop = meters[stages[-1].stage], stages[-1].drop
        score = final.score()
        floor_metric, least = TASKS[task](split.class_names).floor(split)
        least = floors.get(task, least)
        reached, answers = score.values[floor_metric], final.answers()
        found.append(
            Verdict(
                task=task,
                metric=metric,
                base=base.value,
                final=score.values[metric],
                drop=drop,
                floor_metric=floor_metric,
                floor=least,
                reached=reached,
                verdict=gate(drop, reached, least),
                n=score.n,
                stages=stages,
                ece=None if answers is None else calibration(*answers).error,
            )
        )
    return found


def judge(run: Run, splits: dict[str, Split]) -> dict[str, Any]:
    """Write what became of the tasks into the run, where the page finds it.

    ``regressions.json`` holds every image that a later stage broke, ``verdicts.json`` the
    verdicts; the latter is a run's last file.
    """
    found = [verdict.to_dict() for verdict in verdicts(run, splits)]
    keep_regressions(run, splits)
    content = {"draws": RESAMPLES, "tasks": found}
    write_sealed(run.path / "verdicts.json", content)
    return content
