"""A run from its first stage to its last, and how it is stopped and resumed."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from dataclasses import asdict, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from tqdm import tqdm

from mtl_core.analysis.verdicts import judge
from mtl_core.config import RunConfig, StageConfig
from mtl_core.data.datasets import AugmentedImages, TrainingSet, training_loader
from mtl_core.data.layout import Split, check_disjoint, fingerprint
from mtl_core.engine.network_file import save_checkpoint
from mtl_core.learning.evaluation import measure, score_rows
from mtl_core.learning.frozen_features import FrozenFeatures, frozen_key
from mtl_core.learning.hardware import versions
from mtl_core.learning.resume import first_stage, settled, with_statistics
from mtl_core.learning.stage import StageState, begin_stage, train_epoch
from mtl_core.metrics.class_mapping import data_to_model
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.retention import METHODS, StageContext
from mtl_core.runs.predictions import PredictionFile
from mtl_core.runs.run_directory import Run, append_records, write_json
from mtl_core.tasks import build_tasks
from mtl_core.tasks.data_roots import data_roots, read_split
from mtl_core.types import InputError

if TYPE_CHECKING:
    from training.train import Options

RATES = ("lr", "lr_backbone", "lr_shared", "lr_old")  # the first stage's, where all are one


def first_of(split: Split, n: int) -> Split:
    """The subset: n images spread evenly over a split, always the same ones."""
    size = len(split.items)
    n = min(n, size)
    return replace(split, items=[split.items[i * size // n] for i in range(n)])


class Trainer:
    """One run: what its stages share, and the files it writes."""

    def __init__(self, options: Options, config: RunConfig) -> None:
        self.options, self.config, self.out = options, config, options.out
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if options.threads:
            torch.set_num_threads(options.threads)
        roots = data_roots(options.data, options.sets)
        tasks = [stage.task for stage in config.stages]
        self.train_splits = {t: read_split(roots, t, options.train_split) for t in tasks}
        held_out = data_roots(options.eval_data) if options.eval_data else roots
        self.eval_splits = {t: read_split(held_out, t, options.eval_split) for t in tasks}
        for task in tasks:
            check_disjoint(self.train_splits[task], self.eval_splits[task])
        torch.manual_seed(config.seed)
        names = {task: split.class_names for task, split in self.train_splits.items()}
        network = UnifiedVisionSystem(config.model, build_tasks(names))
        self.provenance = network.load_initial(options.init)
        config = self.config = with_statistics(config, self.provenance)
        network.config = config.model
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        self.train_sets = {
            stage.task: TrainingSet(self.network.tasks[stage.task], self._views(stage))
            for stage in config.stages
        }
        self.retention = METHODS[config.method]()
        self.latest: FrozenFeatures | None = None  # the last that was made
        self.started = time.time()
        self.seconds: dict[str, float] = {}  # wall time per finished stage
        self.partial_s = 0.0  # wall time spent in a stage before it was resumed

    def _views(self, stage: StageConfig) -> AugmentedImages:
        split, task = self.train_splits[stage.task], self.network.tasks[stage.task]
        to_model = data_to_model(task.class_names, split.class_names, stage.task)
        return AugmentedImages(split, to_model, stage, self.config.model, self.config.seed)

    @cached_property
    def sources(self) -> dict[str, Any]:
        """What a run is made from: its images and the weights that its backbone starts from."""
        prints = {
            task: {
                "train": fingerprint(self.train_splits[task]),
                "eval": fingerprint(self.eval_splits[task]),
            }
            for task in self.train_splits
        }
        return {"data_fingerprint": prints, "initial_weights": self.provenance}

    def manifest(self) -> dict[str, Any]:
        """What run.json holds."""
        counts = self.network.parameter_counts()
        return {
            "config": self.config.to_dict(),
            "stages_as_trained": self.stages_as_trained(),
            "method_constants": dict(self.retention.constants),
            "class_names": {t: k.class_names for t, k in self.network.tasks.items()},
            **self.sources,
            "versions": versions(),
            "seed": self.config.seed,
            "hardware": {
                "machine": platform.machine(),
                "device": self.device.type,
                "cores": os.cpu_count(),
                "threads": torch.get_num_threads(),
            },
            "parameters": counts | {"total": sum(counts.values())},
            "stage_seconds": self.seconds,
            "wall_time_s": round(sum(self.seconds.values()), 1),
        }

    def record(
        self,
        number: int,
        state: StageState,
        network: UnifiedVisionSystem,
        frozen: FrozenFeatures,
        tasks: list[str],
        scope: str,
    ) -> None:
        """Score a network and append the scores to records.jsonl.

        Args:
            number: of the stage.
            state: how far it is.
            network: the averaged weights at a stage's end, the moving ones inside it.
            frozen: the part of its backbone that is run as a graph.
            tasks: what was trained so far.
            scope: ``"stage"`` for the whole split, ``"subset"`` for a fixed part of it.
        """
        rows = []
        for task in tasks:
            split = self.eval_splits[task]
            keep = None
            if scope == "subset":
                split = first_of(split, self.config.subset_n)
            else:
                keep = PredictionFile(self.out / "predictions", number, task)
            bar = partial(tqdm, desc=f"evaluate {task}", unit="image", leave=False)
            score = measure(network, frozen, split, bar, keep.add if keep else None)
            if keep:
                keep.write()
            place = {"stage": number, "step": state.step, "epoch": state.epoch, "task": task}
            rows += score_rows(score, place, scope)
            shown = ", ".join(f"{k} {v:.4f}" for k, v in score.values.items())
            tqdm.write(f"stage {number} epoch {state.epoch} {scope} {task}: {shown} (n={score.n})")
        append_records(self.out / "records.jsonl", rows)

    def elapsed(self) -> float:
        """Seconds spent in the present stage, over all its resumes."""
        return self.partial_s + time.time() - self.started

    def frozen_features(self, network: UnifiedVisionSystem, rests: bool) -> FrozenFeatures:
        """What is frozen of a network's backbone now; a graph of the same weights is not made
        twice.

        Args:
            network: whose backbone.
            rests: the whole backbone stays as it is for a stage, so that its maps are worth
                keeping.
        """
        latest = self.latest
        if latest is None or not latest.key or latest.key != frozen_key(network.backbone):
            kept = self.options.maps if rests else None
            latest = FrozenFeatures(network.backbone, self.device, self.options.threads, kept)
        self.latest = latest
        return latest

    def open_stage(self, number: int) -> StageContext:
        """Cut the backbone where this stage stops moving it; what the method is told."""
        earlier = [] if self.retention.together else self.trained(number - 1)
        stage = self.retention.settings(self.config.stages[number - 1], earlier)
        self.network.backbone.freeze_until(
            self.config.model.frozen_blocks if stage.lr_backbone else None
        )
        self.frozen = self.frozen_features(self.network, not stage.lr_backbone)
        return StageContext(self.network, stage, earlier, self.train_sets, self.frozen)

    def stages_as_trained(self) -> list[dict[str, Any]]:
        """Each stage's settings as the method changed them; the config holds the preset's."""
        if self.retention.together:
            settings = [self.retention.settings(stage, []) for stage in self.config.stages]
            rates = {name: getattr(settings[0], name) for name in RATES}
            return [asdict(replace(stage, **rates)) for stage in settings]
        return [
            asdict(self.retention.settings(stage, self.trained(number)))
            for number, stage in enumerate(self.config.stages)
        ]

    def trained(self, number: int) -> list[str]:
        """The tasks of the first so many stages."""
        return [stage.task for stage in self.config.stages[:number]]

    def stage(self, number: int, resumed: dict[str, Any] | None) -> int:
        """Train one task, from the network as the stage before left it; or all of them together.

        Returns:
            The number of the stage that comes next.
        """
        last = len(self.config.stages) if self.retention.together else number
        trained = self.trained(last)
        context = self.open_stage(number)
        stage, earlier = context.stage, context.earlier
        learning = [task for task in trained if task not in earlier]
        if earlier:
            self.network.freeze_norms()
        loader, batch_order = training_loader(
            {task: self.train_sets[task] for task in learning},
            self.config.seed,
            self.options.workers,
        )
        self.retention.before_stage(context)
        state = begin_stage(self.network, self.config, stage, earlier, learning, batch_order.total)
        if resumed:
            state.load_state_dict(resumed)
        elif earlier and self.config.subset_steps:
            self.record(last, state, self.network, self.frozen, earlier, "subset")

        def watch(state: StageState) -> None:
            every = self.config.subset_steps
            if every and state.step % every == 0 and state.step < batch_order.total:
                self.record(last, state, self.network, self.frozen, trained, "subset")

        while state.epoch < batch_order.epochs:
            train_epoch(
                state,
                self.config,
                stage,
                self.retention,
                self.frozen,
                loader,
                batch_order,
                self.device,
                watch,
            )
            if state.epoch == batch_order.epochs:
                break
            if not self.config.subset_steps and state.epoch % self.config.subset_every == 0:
                self.record(last, state, self.network, self.frozen, trained, "subset")
            self.save_state(number, state.state_dict())
        if self.options.profile:
            state.laps.print(f"stage {last}, {', '.join(learning)}")
        # The averaged weights are the stage's result: they are shipped and trained further.
        self.network.load_state_dict(state.average.module.state_dict())
        self.retention.after_stage(context)
        average = cast(UnifiedVisionSystem, state.average.module)
        # Whatever moved: the same way through the backbone after every stage, so that equal weights
        # give equal scores, and the faster one.
        average.backbone.freeze_until(None)
        follows = self.stages_as_trained()[last:]
        rests = bool(follows) and not follows[0]["lr_backbone"]
        whole = self.frozen_features(average, rests)
        self.record(last, state, average, whole, trained, "stage")
        save_checkpoint(self.out / f"stage{last}.safetensors", self.network, last, trained)
        self.seconds[str(last)] = round(self.elapsed(), 1)
        self.started, self.partial_s = time.time(), 0.0
        write_json(self.out / "run.json", self.manifest())
        self.save_state(last + 1, None)
        return last + 1

    def save_state(self, number: int, stage_state: dict[str, Any] | None) -> None:
        """Where a resume goes on: the stage, its start and its middle; written atomically."""
        folder = self.out / "state"
        folder.mkdir(parents=True, exist_ok=True)
        if stage_state is None:
            start = {
                "network": self.network.state_dict(),
                "retention": self.retention.state_dict(),
            }
            torch.save(start, folder / f"start{number}.pt.part")
            os.replace(folder / f"start{number}.pt.part", folder / f"start{number}.pt")
        records = self.out / "records.jsonl"
        content = {
            "number": number,
            "stage_state": stage_state,
            "records_bytes": records.stat().st_size if records.is_file() else 0,
            "seconds": self.seconds,
            "partial_s": self.elapsed(),
            "config": self.config.to_dict(),
            "sources": self.sources,
        }
        torch.save(content, folder / "resume.pt.part")
        os.replace(folder / "resume.pt.part", folder / "resume.pt")

    def resume(self) -> tuple[int, dict[str, Any] | None]:
        """Go back to where the run was saved.

        Returns:
            The stage to go on with, and its middle, or None at its start.

        Raises:
            InputError: what was done so far was done with another config.
        """
        content = self._load(self.out / "state" / "resume.pt")
        number, stage_state = content["number"], content["stage_state"]
        begun = number if stage_state else number - 1
        if stage_state and self.retention.together:
            begun = len(self.config.stages)
        if settled(content["config"], begun) != settled(self.config.to_dict(), begun):
            raise InputError(
                f"{self.out} was begun with another config: expected the same model, method "
                "and seed, and the same settings of the stages already begun, to --resume it."
            )
        if content["sources"] != self.sources:
            raise InputError(
                f"{self.out} was begun with other images or other backbone weights: expected "
                "the same --data, splits and --init to --resume it."
            )
        self.seconds, self.partial_s = content["seconds"], content["partial_s"]
        start = self._load(self.out / "state" / f"start{number}.pt")
        self.network.load_state_dict(start["network"])
        self.retention.load_state_dict(start["retention"])
        records = self.out / "records.jsonl"
        if records.is_file():
            # What was recorded after the state was saved is recorded again.
            os.truncate(records, content["records_bytes"])
        return number, stage_state

    def _load(self, state: Path) -> dict[str, Any]:
        """A state saved on any device, on this run's."""
        return torch.load(state, map_location=self.device, weights_only=True)

    def begin_from(self, run: Path) -> None:
        """Take the first stage as another run left it, with its files and its time.

        Raises:
            InputError: that run differs in what decides its first stage, or holds no state, or one
                of the two methods has a first stage of its own.
        """
        theirs = Run(run).manifest
        state = run / "state" / "start2.pt"
        if not state.is_file():
            raise InputError(f"{run} holds no state/start2.pt: expected a run trained here.")
        for method in (self.config.method, theirs["config"]["method"]):
            if METHODS[method].own_start:
                raise InputError(
                    f"{method} has a first stage of its own: train it without --start."
                )
        ours = json.loads(json.dumps(self.manifest()))
        for what, found in first_stage(ours).items():
            if found != first_stage(theirs)[what]:
                raise InputError(f"{run} differs in {what}: expected the same to start from it.")
        self.network.load_state_dict(self._load(state)["network"])
        self.retention.after_stage(self.open_stage(1))
        for path in [run / "stage1.safetensors", *(run / "predictions").glob("stage1_*.npz")]:
            target = self.out / path.relative_to(run)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        lines = (run / "records.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        own = "".join(line for line in lines if json.loads(line)["stage"] == 1)
        (self.out / "records.jsonl").write_text(own, encoding="utf-8")
        self.seconds = {"1": theirs["stage_seconds"]["1"]}
        self.started = time.time()
        self.save_state(2, None)

    def fit(self) -> None:
        """All stages, or what is left of them."""
        number, stage_state = 1, None
        if self.options.resume and (self.out / "state" / "resume.pt").is_file():
            number, stage_state = self.resume()
        elif self.options.start:
            self.begin_from(self.options.start)
            number = 2
        else:
            self.save_state(1, None)
        while number <= len(self.config.stages):
            number = self.stage(number, stage_state)
            stage_state = None
        judge(Run(self.out), self.eval_splits)
