"""Train the tasks one after another and write a run directory.

python -m training.train --data DIR --out RUN [--preset tuned] [--resume]

Every field of the recipe can be set: --stages.det.lr 1e-3 --model.backbone resnet18, or in a TOML
file given with --config. --show prints the whole recipe and trains nothing.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

if not __package__:  # run as a file: its folder is searched for modules, not the project's
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import tyro

from mtl_core.analysis.verdicts import judge
from mtl_core.config import RunConfig
from mtl_core.learning.run_data import RunData
from mtl_core.learning.stage import NotFinite
from mtl_core.learning.state_files import has_state
from mtl_core.learning.trainer import Trainer
from mtl_core.overrides import from_arguments, from_toml, shown, with_changes
from mtl_core.presets import preset
from mtl_core.retention import retention_class
from mtl_core.runs.run_directory import Run
from mtl_core.tasks import TASKS
from mtl_core.types import InputError
from training import check_data
from training.command import guarded, present, sentences
from training.study.ablation import without
from training.training_bars import TrainingBars

WEIGHTS = Path(__file__).resolve().parents[1] / "assets" / "weights"
SHIPPED_WEIGHTS = {"tf_efficientnet_b0": WEIGHTS / "tf_efficientnet_b0_distilled.safetensors"}


@dataclass
class Options:
    """Train segmentation, detection and classification one after another."""

    data: Path | None = None  # root of the sets (see training.prepare_data)
    out: Path | None = None  # run directory to write
    preset: str = "tuned"  # of mtl_core/presets.py, or package.module:function
    config: Path | None = None  # TOML file of changes to the preset
    show: bool = False  # print the whole recipe as TOML and train nothing
    method: str | None = None  # against forgetting, see mtl_core/retention, or package.module:Class
    strength: float | None = None  # factor on what the method adds to the loss
    tasks: tuple[str, ...] = ()  # only these, in this order; one alone is a single-task reference
    task_classes: tuple[str, ...] = ()  # package.module:Class of tasks of your own
    init: str | None = None  # backbone weights: a .safetensors file, or hub for timm's; by default
    # the shipped ones, where they are of this backbone, else timm's
    start: Path | None = None  # a run of the same data and seed, whose first stage is taken
    further: bool = False  # train the second stage of start further, instead of anew
    feature_store: Path | None = None  # folder shared by runs for a resting backbone's maps
    without: str = ""  # leave a part of the recipe out, see training/study/ablation.py
    resume: bool = False  # go on with a run that was stopped
    seed: int | None = None
    train_split: str = "train"  # "train:fit" with eval_split "train:tune" to choose a recipe
    eval_split: str = "val"
    eval_data: Path | None = None  # root of the sets that hold eval_split; those of data by default
    sets: dict[str, Path] = field(default_factory=dict)  # by task id, those that lie elsewhere
    epochs: tuple[int, ...] = ()  # per stage, instead of the preset's
    subset_steps: int | None = None  # optimizer steps between evaluations on a subset
    check: bool = True  # read every image and label before the first step
    allow_near_duplicates: bool = False  # no warning of near-identical images in both splits
    profile: bool = False  # print images per second and where the time went, per stage
    workers: int = 1  # processes that decode and augment
    threads: int = 0  # CPU threads; 0 takes what the machine offers
    changes: tyro.conf.Suppress[dict[str, Any]] = field(default_factory=dict)  # dotted fields


def run_config(options: Options) -> RunConfig:
    """The preset with the options' changes.

    Raises:
        InputError: a name is unknown, a value is out of range, or a task would go unprotected.
    """
    for place in options.task_classes:
        TASKS.register(place)
    config = preset(options.preset)
    if options.config:
        config = with_changes(config, from_toml(options.config))
    given = {
        "method": options.method,
        "strength": options.strength,
        "seed": options.seed,
        "subset_steps": options.subset_steps,
    }
    named = {k: v for k, v in given.items() if v is not None}
    config = with_changes(config, options.changes | named)
    retention_class(config.method)  # an unknown one is refused now
    if options.tasks:
        config = of_tasks(config, options.tasks)
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


def of_tasks(config: RunConfig, tasks: tuple[str, ...]) -> RunConfig:
    """A config of some of its tasks in another order.

    Raises:
        InputError: a task has no stage, or a later stage would not protect an earlier task.
    """
    stages = {stage.task: stage for stage in config.stages}
    unknown = [task for task in tasks if task not in stages]
    if unknown:
        raise InputError(f"--tasks {unknown[0]}: expected some of {', '.join(stages)}.")
    # The first stage has nothing to keep: it distils no task, and moves as freely as the preset's
    # first stage does.
    first, begins = config.stages[0], stages[tasks[0]]
    free: dict[str, Any] = {
        "distill": {},
        "distill_neck": 0.0,
        "lr_backbone": max(begins.lr_backbone, first.lr_backbone),
        "lr_shared": max(begins.lr_shared, first.lr_shared),
    }
    chosen = [replace(begins, **free)]
    for number, task in enumerate(tasks[1:], start=1):
        earlier = tasks[:number]
        kept = {t: w for t, w in stages[task].distill.items() if t in earlier}
        open_to_loss = [t for t in earlier if t not in kept]
        if config.method == "distill" and open_to_loss:
            raise InputError(
                f"--tasks {' '.join(tasks)}: in the stage of {task} preset {config.preset} does "
                f"not distil {', '.join(open_to_loss)}, expected another order, another --method, "
                f"or --stages.{task}.distill.{open_to_loss[0]} with a weight."
            )
        chosen.append(replace(stages[task], distill=kept))
    return replace(config, stages=tuple(chosen))


def initial_weights(options: Options, config: RunConfig) -> Path | None:
    """The file to start the backbone from; None for timm's from the Hub."""
    if options.init and options.init != "hub":
        return Path(options.init)
    shipped = SHIPPED_WEIGHTS.get(config.model.backbone)
    return shipped if options.init is None and shipped and shipped.is_file() else None


def prepare_out(out: Path, resume: bool) -> None:
    """Refuse to write over anything, unless a run is resumed.

    Raises:
        InputError: the directory is not empty, is no directory, or has no room.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file, expected a directory for the run.")
    begun = [p for p in out.iterdir() if p.name != "state"] if out.exists() else []
    if (begun or has_state(out)) and not resume:
        raise InputError(
            f"{out} is not empty: expected a new directory, or --resume to go on with it."
        )
    if resume and not out.is_dir():
        raise InputError(f"{out} does not exist: there is nothing to --resume.")
    out.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(out).free < 500 * 2**20:
        raise InputError(f"{out} has less than 500 MB of free disk: expected more.")


def refuse_faults(options: Options, data: Path, tasks: list[str]) -> None:
    """Read all images and labels; print every warning and every fault.

    Raises:
        InputError: there are faults.
    """
    report = check_data.check(
        check_data.Options(
            data,
            options.sets,
            tuple(tasks),
            options.train_split,
            options.eval_split,
            options.eval_data,
            options.allow_near_duplicates,
        )
    )
    for sentence in report.warnings:
        print(f"warning: {sentence}")
    if len(report.faults) == 1:
        raise InputError(report.faults[0])
    if report.faults:
        for sentence in report.faults:
            print(f"fault: {sentence}")
        raise InputError(f"The data has {len(report.faults)} faults, listed above: expected none.")


def trainer_of(options: Options, config: RunConfig) -> Trainer:
    """Check the data and build.

    Raises:
        InputError: data or weights are not usable.
    """
    if options.data is None or options.out is None:
        raise InputError("--data and --out are needed to train, --show alone to see the recipe.")
    if options.further and options.start is None:
        raise InputError("--further needs --start: expected the run whose second stage goes on.")
    tasks = [stage.task for stage in config.stages]
    if options.check:
        refuse_faults(options, options.data, tasks)
    data = RunData.read(
        tasks,
        options.data,
        options.train_split,
        options.eval_split,
        options.sets,
        options.eval_data,
        check=not options.check,
    )
    return Trainer(
        config,
        data,
        options.out,
        init=initial_weights(options, config),
        start=options.start,
        further=options.further,
        feature_store=options.feature_store,
        workers=options.workers,
        threads=options.threads,
    )


def main(options: Options) -> bool:
    """Parse, check, build, train, judge; whether the training came to its end."""
    config = run_config(options)
    if options.show:
        print(shown(config))
        return True
    if options.out is not None:
        prepare_out(options.out, options.resume)
    trainer = trainer_of(options, config)
    bars = TrainingBars(options.profile)
    guarded(lambda: bars.follow(trainer, options.resume), lambda: bars.reached(trainer.out))
    if not bars.stopped:
        judge(Run(trainer.out), trainer.data.evaluation)
        print(f"Done: {trainer.out}. See it with: python app.py --run {trainer.out}")
    return not bars.stopped


if __name__ == "__main__":

    def from_shell() -> None:
        """The options of Options, and every dotted field of a recipe."""
        options, rest = tyro.cli(Options, args=present(sys.argv[1:]), return_unknown_args=True)
        main(replace(options, changes=from_arguments(rest)))

    try:
        sentences(from_shell)
    except NotFinite as error:
        sys.exit(f"error: {error}")
