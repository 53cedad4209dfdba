"""Train and judge every way not to forget, side by side.

python -m training.compare --data DIR --out STUDY --methods all --seeds 0,1,2
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from mtl_core.learning.stage import NotFinite
from mtl_core.presets import preset
from mtl_core.retention import METHODS
from mtl_core.types import InputError
from training.command import run
from training.study.ablation import parts_of
from training.study.judged import DEFAULT
from training.study.progress import estimates_s, left, lighten, resumable
from training.study.report import write_report
from training.study.runs import DIVERGED, OWN_START, Cell, StudyRuns
from training.study.strengths import read_strengths
from training.train import Options as TrainOptions
from training.train import main as train

MAPS = "maps"  # folder of a study for the maps that its runs share, several GB
SWEPT = ("ewc", "lwf", "replay", "distill", "joint")  # methods with a strength


@dataclass
class Options:
    """Train what is missing of a study, then write its report.

    A study that was stopped, at whatever moment, goes on where it stopped when the command is given
    again: finished runs are kept, the one that was stopped goes on, and all of a seed start from
    one first stage.
    """

    data: Path  # root of the three sets (see training.prepare_data)
    out: Path  # study directory: one run directory per method, strength and seed
    methods: tuple[str, ...] = ("all",)  # some of mtl_core/retention, and "single" for references
    seeds: tuple[int, ...] = (0,)
    sweep: tuple[float, ...] = ()  # factors on the strength of the methods that have one; on the
    # epochs of joint
    sweep_rates: tuple[float, ...] = ()  # factors on the learning rate of joint
    strengths: Path | None = None  # a sweep's strengths.json, which the methods are trained with
    light: bool = False  # keep records, predictions and scores of finished runs, no weights
    tasks: tuple[str, ...] = ()  # only these, in this order
    ablate: bool = False  # the default method without each of its parts, too, in the first seed
    preset: str = "tuned"
    epochs: tuple[int, ...] = ()  # per stage, instead of the preset's
    init: str | None = None  # backbone weights, as of training.train
    report_only: bool = False  # train nothing, write the report of what is there
    train_split: str = "train"  # "train:fit" with eval_split "train:tune" to choose a recipe
    eval_split: str = "val"
    eval_data: Path | None = None  # root of the sets that hold eval_split; those of data by default
    feature_store: Path | None = None  # for a resting backbone's maps; in OUT while it works
    workers: int = 1  # processes that decode and augment
    threads: int = 0  # CPU threads; 0 takes what the machine offers
    subset_steps: int = 50  # optimizer steps between subset evaluations


def planned(options: Options) -> list[Cell]:
    """The runs of a study, in the order in which they are trained.

    Raises:
        InputError: an unknown method, or a seed or factor that is no number.
    """
    known = [*METHODS, "single"]
    methods = known if options.methods == ("all",) else list(options.methods)
    unknown = [method for method in methods if method not in known]
    if unknown:
        raise InputError(f"--methods {unknown[0]}: expected all or some of {', '.join(known)}.")
    if options.strengths and (options.sweep or options.sweep_rates):
        raise InputError("--strengths is what a sweep found: expected it without --sweep.")
    recipe = preset(options.preset)
    table = read_strengths(options.strengths, recipe.preset) if options.strengths else {}
    seeds, factors = list(options.seeds), list(options.sweep) or [1.0]
    rates = list(options.sweep_rates) or [1.0]
    # The default first: its first stage is the one that the others start from.
    methods = sorted(methods, key=lambda method: method != "distill")
    tasks = list(options.tasks) or [stage.task for stage in recipe.stages]
    cells = []
    for seed in seeds:
        for method in methods:
            if method == "single":
                # The first task alone is the first stage itself.
                cells += [Cell("single", 1.0, seed, task) for task in tasks[1:]]
            else:
                pairs = list(product(factors if method in SWEPT else [1.0], rates))
                if method in table:
                    pairs = [(table[method]["strength"], table[method]["rate"])]
                if method != "joint":
                    pairs = list(dict.fromkeys((strength, 1.0) for strength, _ in pairs))
                pairs.sort(key=lambda pair: pair != (1, 1))
                cells += [Cell(method, strength, seed, rate=rate) for strength, rate in pairs]
    if options.epochs and len(options.epochs) != len(tasks):
        raise InputError(f"--epochs has {len(options.epochs)} numbers, expected {len(tasks)}.")
    if options.ablate:
        parts = parts_of(recipe)
        if not parts:
            raise InputError(f"--ablate: preset {options.preset} has no part to leave out.")
        whole = Cell(DEFAULT, 1.0, seeds[0])
        cells = [whole, *(cell for cell in cells if cell != whole)]
        cells += [Cell(DEFAULT, 1.0, seeds[0], without=part) for part in parts]
    return cells


def stage_changes(options: Options, cell: Cell) -> dict[str, Any]:
    """What a run's stages have otherwise than the preset's: epochs, and joint's factors."""
    recipe = {stage.task: stage for stage in preset(options.preset).stages}
    epochs = dict(zip(options.tasks or recipe, options.epochs, strict=False))
    if cell.method != "joint":
        return {f"stages.{task}.epochs": count for task, count in epochs.items()}
    return {
        f"stages.{task}": {
            "epochs": max(1, round(epochs.get(task, stage.epochs) * cell.strength)),
            "lr": stage.lr * cell.rate,
        }
        for task, stage in recipe.items()
    }


def train_cell(options: Options, study: StudyRuns, cell: Cell, first: bool) -> bool:
    """Train one run of the study, or go on with it; whether it came to its end.

    The data is checked before the first run alone.
    """
    out = study.folder(cell)
    start = None
    if cell.task is None and cell.method not in OWN_START:
        owner = study.first_stage(cell.seed)
        start = None if owner in (None, out) else owner
    return train(
        TrainOptions(
            data=options.data,
            out=out,
            preset=options.preset,
            method=None if cell.task else cell.method,
            strength=None if cell.method == "joint" else cell.strength,
            changes=stage_changes(options, cell),
            without=cell.without or "",
            tasks=(cell.task,) if cell.task else options.tasks,
            init=options.init,
            start=start,
            resume=resumable(study, cell),
            seed=cell.seed,
            train_split=options.train_split,
            eval_split=options.eval_split,
            eval_data=options.eval_data,
            feature_store=options.feature_store or options.out / MAPS,
            workers=options.workers,
            threads=options.threads,
            subset_steps=options.subset_steps,
            check=first,
        )
    )


def main(options: Options) -> None:
    """Train what is missing, then write report.html, report.md and results.csv."""
    cells = planned(options)
    study = StudyRuns(options.out)
    missing = [c for c in cells if not study.finished(c) and not study.diverged(c)]
    if options.report_only:
        missing = []
    for number, cell in enumerate(missing, start=1):
        rest = missing[number - 1 :]
        words = left(estimates_s(study, rest))
        print(f"[{number}/{len(missing)}] {cell.name}: {words}", flush=True)
        try:
            if not train_cell(options, study, cell, number == 1):
                return
        except NotFinite as error:
            (study.folder(cell) / DIVERGED).write_text(f"{error}\n", encoding="utf-8")
            print(f"{cell.name} has no result: {error}", flush=True)
        if options.light:
            lighten(study, cells, rest[1:])
    if options.light and not missing:
        lighten(study, cells, [])
    if missing and options.feature_store is None:
        shutil.rmtree(options.out / MAPS, ignore_errors=True)
    write_report(study, options.eval_data or options.data, options.eval_split)
    print(f"Done: {options.out / 'report.html'}")


if __name__ == "__main__":
    run(main, Options)
