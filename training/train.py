"""Train the tasks one after another and write a run directory.

python -m training.train --data DIR --out RUN [--preset tuned] [--resume]
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tyro

from mtl_core.config import RunConfig
from mtl_core.learning.stage import NotFinite
from mtl_core.learning.trainer import Trainer
from mtl_core.presets import preset
from mtl_core.retention import METHODS
from mtl_core.types import InputError
from training.study.ablation import without


@dataclass
class Options:
    """Train segmentation, detection and classification one after another."""

    data: Path  # root of the three sets (see training.prepare_data)
    out: Path  # run directory to write
    preset: str = "tuned"  # report, tuned or tiny
    method: str | None = None  # how forgetting is met, see mtl_core/retention; distill by default
    strength: float = 1.0  # factor on what the method adds to the loss
    tasks: tuple[str, ...] = ()  # only these, in this order; one alone is a single-task reference
    init: Path | None = None  # backbone weights (.safetensors); timm's from the Hub by default
    start: Path | None = None  # a run of the same data and seed, whose first stage is taken
    maps: Path | None = None  # folder shared by runs, which compute a resting backbone's maps once
    without: str = ""  # leave a part of the recipe out, see training/ablation.py
    resume: bool = False  # go on with a run that was stopped
    seed: int = 0
    train_split: str = "train"  # "train:fit" with eval_split "train:tune" to choose a recipe
    eval_split: str = "val"
    eval_data: Path | None = None  # root of the sets that hold eval_split; those of data by default
    sets: dict[str, Path] = field(default_factory=dict)  # by task id, those that lie elsewhere
    epochs: tuple[int, ...] = ()  # per stage, instead of the preset's
    subset_steps: int | None = (
        None  # optimizer steps between subset evaluations; the preset's own by default
    )
    profile: bool = False  # print images per second and where the time went, per stage
    workers: int = 1  # processes that decode and augment
    threads: int = 0  # CPU threads; 0 takes what the machine offers


def run_config(options: Options) -> RunConfig:
    """The preset with the options' changes."""
    config = replace(preset(options.preset), seed=options.seed, strength=options.strength)
    if options.subset_steps is not None:
        config = replace(config, subset_steps=options.subset_steps)
    if options.method:
        if options.method not in METHODS:
            raise InputError(f"--method {options.method}: expected one of {', '.join(METHODS)}.")
        config = replace(config, method=options.method)
    if options.tasks:
        stages = {stage.task: stage for stage in config.stages}
        unknown = [task for task in options.tasks if task not in stages]
        if unknown:
            raise InputError(f"--tasks {unknown[0]}: expected some of {', '.join(stages)}.")
        # Whoever comes first owes nothing to earlier tasks: it distils nobody, and moves as freely
        # as the preset's first stage does.
        first, begins = config.stages[0], stages[options.tasks[0]]
        free: dict[str, Any] = {
            "distill": {},
            "distill_neck": 0.0,
            "lr_backbone": max(begins.lr_backbone, first.lr_backbone),
            "lr_shared": max(begins.lr_shared, first.lr_shared),
        }
        chosen = [replace(begins, **free), *(stages[task] for task in options.tasks[1:])]
        for number, stage in enumerate(chosen):
            open_to_loss = [t for t in options.tasks[:number] if t not in stage.distill]
            if config.method == "distill" and open_to_loss:
                raise InputError(
                    f"--tasks {','.join(options.tasks)}: in the stage of {stage.task} preset "
                    f"{options.preset} does not distil {', '.join(open_to_loss)}, expected another "
                    "order or --method."
                )
        config = replace(config, stages=tuple(chosen))
    if options.without:
        config = without(config, options.without)
    if options.epochs:
        if len(options.epochs) != len(config.stages):
            raise InputError(
                f"--epochs has {len(options.epochs)} numbers, expected {len(config.stages)}, "
                "one per stage."
            )
        pairs = zip(config.stages, options.epochs, strict=True)
        config = replace(config, stages=tuple(replace(s, epochs=n) for s, n in pairs))
    return config


def prepare_out(options: Options) -> None:
    """Refuse to write over a run, unless it is resumed."""
    if options.out.exists() and any(options.out.iterdir()) and not options.resume:
        raise InputError(
            f"{options.out} is not empty: expected a new directory, or --resume to go on with it."
        )
    begun = [name for name in ("run.json", "records.jsonl") if (options.out / name).exists()]
    if begun and not options.start and not (options.out / "state" / "resume.pt").is_file():
        raise InputError(
            f"{options.out} holds {begun[0]} but no state/resume.pt: expected a run that was "
            "stopped here, or a new directory."
        )
    options.out.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(options.out).free < 500 * 2**20:
        raise InputError(f"{options.out} has less than 500 MB of free disk: expected more.")


def main(options: Options) -> None:
    """Parse, check, build, fit."""
    prepare_out(options)
    trainer = Trainer(options, run_config(options))
    trainer.fit()
    print(f"Done: {options.out}. See it with: python app.py --run {options.out}")


if __name__ == "__main__":
    try:
        main(tyro.cli(Options))
    except (InputError, NotFinite) as error:
        sys.exit(f"error: {error}")
