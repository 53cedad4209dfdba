"""Teach the tasks one after another and write a run directory.

python -m training.train --data DIR --out RUN [--preset tuned] [--resume]
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch
import tyro
from tqdm import tqdm

from mtl_core.checkpoint import save_checkpoint
from mtl_core.config import RunConfig
from mtl_core.data.datasets import ViewDataset, training_loader
from mtl_core.data.layout import DataRoots, Split, check_disjoint, fingerprint, read_split
from mtl_core.engine.frozen_trunk import FrozenTrunk
from mtl_core.measure import measure
from mtl_core.metrics.matching import data_to_model
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.presets import preset
from mtl_core.retention import METHODS
from mtl_core.run import append_records, write_json
from mtl_core.tasks import build_tasks
from mtl_core.types import InputError
from training.predictions import PredictionFile
from training.stage import NotFinite, StageState, begin_stage, train_epoch

PACKAGES = ("torch", "torchvision", "timm", "numpy", "onnxruntime", "pycocotools")


@dataclass
class Options:
    """Teach segmentation, detection and classification one after another."""

    data: Path  # root of the three sets (see training.prepare_data)
    out: Path  # run directory to write
    preset: str = "tuned"  # report, tuned or tiny
    method: str | None = None  # distill or finetune; the preset's own by default
    tasks: tuple[str, ...] = ()  # only these, in this order; one alone is a single-task reference
    init: Path | None = None  # trunk weights (.safetensors); timm's from the Hub by default
    resume: bool = False  # go on with a run that was stopped
    seed: int = 0
    train_split: str = "train"  # "train:fit" with eval_split "train:tune" to choose a recipe
    eval_split: str = "val"
    seg: Path | None = None  # the segmentation set, where it lies elsewhere
    det: Path | None = None  # the detection set
    cls: Path | None = None  # the classification set
    epochs: tuple[int, ...] = ()  # per stage, instead of the preset's
    workers: int = 1  # processes that decode and augment
    threads: int = 0  # CPU threads; 0 takes what the machine offers


def run_config(options: Options) -> RunConfig:
    """The preset with the options' changes."""
    config = replace(preset(options.preset), seed=options.seed)
    if options.method:
        if options.method not in METHODS:
            raise InputError(f"--method {options.method}: expected one of {', '.join(METHODS)}.")
        config = replace(config, method=options.method)
    if options.tasks:
        stages = {stage.task: stage for stage in config.stages}
        unknown = [task for task in options.tasks if task not in stages]
        if unknown:
            raise InputError(f"--tasks {unknown[0]}: expected some of {', '.join(stages)}.")
        chosen = [stages[task] for task in options.tasks]
        if len(chosen) == 1:
            # A reference owes nothing to earlier tasks: it moves freely and distils nobody.
            free: dict[str, Any] = {
                "distill": {},
                "distill_neck": 0.0,
                "lr_trunk": 0.2,
                "lr_shared": 1.0,
            }
            chosen = [replace(chosen[0], **free)]
        config = replace(config, stages=tuple(chosen))
    if options.epochs:
        if len(options.epochs) != len(config.stages):
            raise InputError(
                f"--epochs has {len(options.epochs)} numbers, expected {len(config.stages)}, "
                "one per stage."
            )
        pairs = zip(config.stages, options.epochs, strict=True)
        config = replace(config, stages=tuple(replace(s, epochs=n) for s, n in pairs))
    return config


def settled(config: dict[str, Any], begun: int) -> dict[str, Any]:
    """The part of a config that a resume may not change: all but the stages still to come."""
    return {**config, "stages": list(config["stages"])[:begun]}


def first_of(split: Split, n: int) -> Split:
    """The probe: n pictures spread evenly over a split, always the same ones."""
    step = max(1, len(split.items) // n)
    return replace(split, items=split.items[::step][:n])


class Trainer:
    """One run: what its stages share, and the files it writes."""

    def __init__(self, options: Options, config: RunConfig) -> None:
        self.options, self.config, self.out = options, config, options.out
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if options.threads:
            torch.set_num_threads(options.threads)
        roots = DataRoots.under(options.data, options.seg, options.det, options.cls)
        tasks = [stage.task for stage in config.stages]
        self.train_splits = {t: read_split(roots, t, options.train_split) for t in tasks}
        self.eval_splits = {t: read_split(roots, t, options.eval_split) for t in tasks}
        for task in tasks:
            check_disjoint(self.train_splits[task], self.eval_splits[task])
        torch.manual_seed(config.seed)
        names = {task: split.class_names for task, split in self.train_splits.items()}
        network = UnifiedVisionSystem(config.model, build_tasks(names))
        self.provenance = network.backbone.load_initial(options.init)
        if "input_mean" in self.provenance:
            self._check_normalisation()
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        self.started, self.spent_s = time.time(), 0.0

    def _check_normalisation(self) -> None:
        named = tuple(float(v) for v in self.provenance["input_mean"].split(","))
        if named != tuple(self.config.model.mean):
            raise InputError(
                f"{self.options.init} was made for an input mean of {named}, but the config's "
                f"model.mean is {self.config.model.mean}: expected the same."
            )

    def manifest(self) -> dict[str, Any]:
        """What run.json holds."""
        counts = self.network.parameter_counts()
        return {
            "config": self.config.to_dict(),
            "class_names": {t: k.class_names for t, k in self.network.tasks.items()},
            "data_fingerprint": {
                task: {
                    "train": fingerprint(self.train_splits[task]),
                    "eval": fingerprint(self.eval_splits[task]),
                }
                for task in self.train_splits
            },
            "versions": {"python": platform.python_version()}
            | {name: version(name) for name in PACKAGES},
            "seed": self.config.seed,
            "hardware": {
                "machine": platform.machine(),
                "device": self.device.type,
                "cores": os.cpu_count(),
                "threads": torch.get_num_threads(),
            },
            "parameters": counts | {"total": sum(counts.values())},
            "initial_weights": self.provenance,
            "wall_time_s": round(self.spent_s + time.time() - self.started, 1),
        }

    def record(self, number: int, state: StageState, tasks: list[str], scope: str) -> None:
        """Evaluate the averaged weights and append the scores to records.jsonl."""
        network = cast(UnifiedVisionSystem, state.average.module)
        rows = []
        for task in tasks:
            split = self.eval_splits[task]
            keep = None
            if scope == "probe":
                split = first_of(split, self.config.probe_n)
            else:
                keep = PredictionFile(self.out / "predictions", number, task)
            bar = partial(tqdm, desc=f"evaluate {task}", unit="picture", leave=False)
            score = measure(network, self.frozen, split, bar, keep.add if keep else None)
            if keep:
                keep.write()
            place = {"stage": number, "step": state.step, "epoch": state.epoch, "task": task}
            for i, (metric, value) in enumerate(score.values.items()):
                per_class = {k: round(v, 5) for k, v in score.per_class.items()} if i == 0 else {}
                rows.append(
                    place
                    | {"metric": metric, "value": value, "per_class": per_class}
                    | {"n": score.n, "scope": scope}
                )
            shown = ", ".join(f"{k} {v:.4f}" for k, v in score.values.items())
            tqdm.write(f"stage {number} epoch {state.epoch} {scope} {task}: {shown} (n={score.n})")
        append_records(self.out / "records.jsonl", rows)

    def stage(self, number: int, resumed: dict[str, Any] | None) -> None:
        """Teach one task, from the network as the stage before left it."""
        stage = self.config.stages[number - 1]
        earlier = [s.task for s in self.config.stages[: number - 1]]
        if earlier:
            self.network.freeze_norms()
        task = self.network.tasks[stage.task]
        split = self.train_splits[stage.task]
        to_model = data_to_model(task.class_names, split.class_names, stage.task)
        dataset = ViewDataset(split, to_model, stage, self.config.model, self.config.seed)
        loader, order = training_loader(dataset, task, self.options.workers)
        self.network.backbone.freeze_until(
            self.config.model.frozen_blocks if stage.lr_trunk else None
        )
        self.frozen = FrozenTrunk(self.network.backbone, self.device, self.options.threads)
        retention = METHODS[self.config.method]()
        retention.before_stage(self.network, stage, earlier)
        state = begin_stage(self.network, self.config, stage, earlier, len(loader))
        if resumed:
            state.load_state_dict(resumed)
        while state.epoch < stage.epochs:
            train_epoch(
                state, self.config, stage, retention, self.frozen, loader, order, self.device
            )
            last = state.epoch == stage.epochs
            if not last and state.epoch % self.config.probe_every == 0:
                self.record(number, state, [*earlier, stage.task], "probe")
            if not last:
                self.save_state(number, state.state_dict())
        retention.after_stage(self.network)
        # The averaged weights are the stage's result: they are shipped and taught further.
        self.network.load_state_dict(state.average.module.state_dict())
        self.record(number, state, [*earlier, stage.task], "stage")
        taught = [*earlier, stage.task]
        save_checkpoint(self.out / f"stage{number}.safetensors", self.network, number, taught)
        write_json(self.out / "run.json", self.manifest())
        self.save_state(number + 1, None)

    def save_state(self, number: int, stage_state: dict[str, Any] | None) -> None:
        """Where a resume goes on: the stage, its start and its middle; written atomically."""
        folder = self.out / "state"
        folder.mkdir(parents=True, exist_ok=True)
        if stage_state is None:
            torch.save(self.network.state_dict(), folder / f"start{number}.pt.part")
            os.replace(folder / f"start{number}.pt.part", folder / f"start{number}.pt")
        records = self.out / "records.jsonl"
        content = {
            "number": number,
            "stage_state": stage_state,
            "records_bytes": records.stat().st_size if records.is_file() else 0,
            "spent_s": self.spent_s + time.time() - self.started,
            "config": self.config.to_dict(),
        }
        torch.save(content, folder / "resume.pt.part")
        os.replace(folder / "resume.pt.part", folder / "resume.pt")

    def fit(self) -> None:
        """All stages, or what is left of them."""
        number, stage_state = 1, None
        resume = self.out / "state" / "resume.pt"
        if self.options.resume and resume.is_file():
            content = torch.load(resume, weights_only=True)
            number, stage_state = content["number"], content["stage_state"]
            begun = number if stage_state else number - 1
            if settled(content["config"], begun) != settled(self.config.to_dict(), begun):
                raise InputError(
                    f"{self.out} was begun with another config: expected the same model, method "
                    "and seed, and the same settings of the stages already begun, to --resume it."
                )
            self.spent_s = content["spent_s"]
            self.network.load_state_dict(
                torch.load(self.out / "state" / f"start{number}.pt", weights_only=True)
            )
            records = self.out / "records.jsonl"
            if records.is_file():
                # What was recorded after the state was saved is recorded again.
                os.truncate(records, content["records_bytes"])
        else:
            self.save_state(1, None)
        for n in range(number, len(self.config.stages) + 1):
            self.stage(n, stage_state)
            stage_state = None


def prepare_out(options: Options) -> None:
    """Refuse to write over a run, unless it is resumed."""
    if options.out.exists() and any(options.out.iterdir()) and not options.resume:
        raise InputError(
            f"{options.out} is not empty: expected a new directory, or --resume to go on with it."
        )
    begun = [name for name in ("run.json", "records.jsonl") if (options.out / name).exists()]
    if begun and not (options.out / "state" / "resume.pt").is_file():
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
