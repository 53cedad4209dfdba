"""A run from its first stage to its last: a library that yields what happens and can be stopped."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch

from mtl_core.config import RunConfig, StageConfig
from mtl_core.data.datasets import AugmentedImages, TrainingSet, training_loader
from mtl_core.data.splits import Split
from mtl_core.engine.network_file import load_network, save_checkpoint
from mtl_core.learning.evaluation import measuring, score_rows
from mtl_core.learning.events import (
    Begun,
    Evaluated,
    Evaluating,
    Event,
    StageBegun,
    StageEnded,
    Step,
    Stopped,
)
from mtl_core.learning.frozen_features import FrozenFeatures, frozen_key
from mtl_core.learning.hardware import avoid_slow_pointwise, versions
from mtl_core.learning.resume import (
    changed_images,
    check_resumable,
    copy_first_stage,
    first_stage,
    load_matching,
    with_statistics,
)
from mtl_core.learning.run_data import RunData
from mtl_core.learning.stage import StageState, begin_stage, train_epoch
from mtl_core.learning.state_files import Writer, last_state, read_state, write_state
from mtl_core.metrics.class_mapping import data_to_model
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.retention import StageContext, retention_class
from mtl_core.runs.predictions import PredictionFile
from mtl_core.runs.run_directory import Run, append_records, write_json
from mtl_core.tasks import TASKS, build_tasks
from mtl_core.types import InputError

RATES = ("lr", "lr_backbone", "lr_shared", "lr_old")  # the first stage's, where all are one
SAVE_EVERY_S = 300.0  # of training, beside every epoch's end


def first_of(split: Split, n: int) -> Split:
    """The subset: n images spread evenly over a split, always the same ones."""
    size = len(split.items)
    n = min(n, size)
    return replace(split, items=[split.items[i * size // n] for i in range(n)])


class Trainer:
    """One run: what its stages share, and the files it writes.

    ``for event in trainer.events(): ...`` trains; nothing happens between two events. ``stop`` may
    be called from anywhere: after the present step the state is saved and ``Stopped`` comes last.

    Args:
        config: the recipe.
        data: its images.
        out: the run directory; made if it is missing.
        init: backbone weights (.safetensors); None takes timm's from the Hub.
        start: a run of the same data and seed whose first stage is taken.
        feature_store: folder shared by runs, which compute a resting backbone's maps once.
        workers: processes that decode and augment.
        threads: CPU threads; 0 takes what PyTorch takes.

    Raises:
        InputError: config, data or weights are not usable.
    """

    def __init__(
        self,
        config: RunConfig,
        data: RunData,
        out: Path,
        *,
        init: Path | None = None,
        start: Path | None = None,
        feature_store: Path | None = None,
        workers: int = 1,
        threads: int = 0,
    ) -> None:
        self.data, self.out, self.start, self.workers = data, out, start, workers
        self.feature_store, self.threads = feature_store, threads
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if threads:
            torch.set_num_threads(threads)
        torch.manual_seed(config.seed)
        names = {task: split.class_names for task, split in data.train.items()}
        network = UnifiedVisionSystem(config.model, build_tasks(names))
        self.provenance = network.load_initial(init)
        self.config = with_statistics(config, self.provenance)
        network.config = self.config.model
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        if torch.get_num_threads() == 1:
            avoid_slow_pointwise(self.network)
        self.train_sets = {
            stage.task: TrainingSet(self.network.tasks[stage.task], self._views(stage))
            for stage in config.stages
        }
        self.retention = retention_class(config.method)()
        self.latest: FrozenFeatures | None = None  # the last that was made
        self.began = self.saved_at = time.time()
        self.seconds: dict[str, float] = {}  # wall time per finished stage
        self.partial_s = 0.0  # wall time spent in a stage before it was resumed
        self.data_changes: list[dict[str, Any]] = []  # images that changed under the run
        self._stop = threading.Event()

    def _views(self, stage: StageConfig) -> AugmentedImages:
        split, task = self.data.train[stage.task], self.network.tasks[stage.task]
        to_model = data_to_model(task.class_names, split.class_names, stage.task)
        return AugmentedImages(task, split, to_model, stage, self.config.model, self.config.seed)

    def stop(self) -> None:
        """Ask for an end after the present step."""
        self._stop.set()

    def events(self, resume: bool = False) -> Iterator[Event]:
        """Train all stages, or what is left of them.

        Args:
            resume: go on with the run that was stopped in this directory.

        Raises:
            InputError: another process writes there, or there is nothing to go on with, or what was
                done so far was done with another config.
            NotFinite: the loss exploded.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        with closing(Writer(self.out)):
            number, stage_state = 1, None
            if resume:
                number, stage_state = self.restored()
            elif self.start:
                self.begin_from(self.start)
                number = 2
            else:
                self.save_state(1, None)
            self.write_manifest("running")
            yield self.begun(number, stage_state)
            while number <= len(self.config.stages):
                following = yield from self.stage(number, stage_state)
                if following is None:
                    self.write_manifest("stopped")
                    return
                number, stage_state = following, None
            self.write_manifest("finished")

    def begun(self, number: int, stage_state: dict[str, Any] | None) -> Begun:
        """What is about to be done."""
        steps: dict[int, int] = {}
        together = self.retention.together
        for n in range(number, len(self.config.stages) + 1):
            images = self.train_sets[self.config.stages[n - 1].task].views
            per_epoch = max(1, len(images) // images.stage.batch)
            at = 1 if together else n
            steps[at] = steps.get(at, 0) + per_epoch * images.stage.epochs
        if stage_state:
            steps[number] -= stage_state["step"]
        counts = {t: (len(s), len(self.data.evaluation[t])) for t, s in self.data.train.items()}
        notes = tuple(change["note"] for change in self.data_changes if change["stage"] == number)
        threads = torch.get_num_threads()
        return Begun(self.device.type, threads, counts, self.provenance, steps, notes)

    @cached_property
    def sources(self) -> dict[str, Any]:
        """What a run is made from: its images and the weights that its backbone starts from."""
        return {"data_fingerprint": self.data.fingerprints(), "initial_weights": self.provenance}

    def manifest(self, status: str) -> dict[str, Any]:
        """What run.json holds."""
        counts = self.network.parameter_counts()
        return {
            "status": status,
            "config": self.config.to_dict(),
            "stages_as_trained": self.stages_as_trained(),
            "method_constants": dict(self.retention.constants),
            "class_names": {t: k.class_names for t, k in self.network.tasks.items()},
            "tasks": {t: asdict(TASKS.infos[t]) for t in self.network.tasks},
            **self.sources,
            "data_changes": self.data_changes,
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

    def write_manifest(self, status: str) -> None:
        """Write run.json: what the run is, and whether it is running, stopped or finished."""
        write_json(self.out / "run.json", self.manifest(status))

    def record(
        self,
        number: int,
        state: StageState,
        network: UnifiedVisionSystem,
        frozen: FrozenFeatures,
        tasks: list[str],
        scope: str,
    ) -> Iterator[Event]:
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
            split = self.data.evaluation[task]
            keep = None
            if scope == "subset":
                split = first_of(split, self.config.subset_n)
            else:
                keep = PredictionFile(self.out / "predictions", number, task)
            running = measuring(network, frozen, split, keep.add if keep else None)
            while True:
                try:
                    yield Evaluating(task, next(running), len(split.items))
                except StopIteration as ended:
                    score = ended.value
                    break
            if keep:
                keep.write()
            place = {"stage": number, "step": state.step, "epoch": state.epoch, "task": task}
            rows += score_rows(score, place, scope)
            yield Evaluated(number, state.step, state.epoch, task, scope, score)
        append_records(self.out / "records.jsonl", rows)

    def elapsed(self) -> float:
        """Seconds spent in the present stage, over all its resumes."""
        return self.partial_s + time.time() - self.began

    def frozen_features(self, network: UnifiedVisionSystem, rests: bool) -> FrozenFeatures:
        """What is frozen of a network's backbone now; a graph of equal weights is not made twice.

        Args:
            network: whose backbone.
            rests: the whole backbone stays as it is for a stage, so that maps are worth keeping.
        """
        latest = self.latest
        if latest is None or not latest.key or latest.key != frozen_key(network.backbone):
            kept = self.feature_store if rests else None
            latest = FrozenFeatures(network.backbone, self.device, self.threads, kept)
        self.latest = latest
        return latest

    def open_stage(self, number: int) -> StageContext:
        """Cut the backbone where this stage stops moving it; what the method is given."""
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

    def stage(
        self, number: int, resumed: dict[str, Any] | None
    ) -> Generator[Event, None, int | None]:
        """Train one task, from the network as the stage before left it; or all of them together.

        Returns:
            The number of the stage that comes next; None where it was stopped.
        """
        last = len(self.config.stages) if self.retention.together else number
        trained = self.trained(last)
        context = self.open_stage(number)
        stage, earlier = context.stage, context.earlier
        learning = [task for task in trained if task not in earlier]
        if earlier:
            self.network.freeze_norms()
        loader, order = training_loader(
            {task: self.train_sets[task] for task in learning}, self.config.seed, self.workers
        )
        self.retention.before_stage(context)
        state = begin_stage(self.network, self.config, stage, earlier, learning, order.total)
        if resumed:
            state.load_state_dict(resumed)
        yield StageBegun(last, tuple(learning), state.step, order.total, order.epochs)
        if not resumed and earlier and self.config.subset_steps:
            yield from self.record(last, state, self.network, self.frozen, earlier, "subset")
        while state.epoch < order.epochs:
            order.epoch, order.done = state.epoch, state.batches
            for _ in train_epoch(
                state, self.config, stage, self.retention, self.frozen, loader, self.device
            ):
                rate = float(max(state.schedule.get_last_lr()))
                yield Step(last, state.step, state.epoch, rate, dict(state.losses))
                every = self.config.subset_steps
                if every and state.step % every == 0 and state.step < order.total:
                    yield from self.record(
                        last, state, self.network, self.frozen, trained, "subset"
                    )
                    self.network.train()
                if self._stop.is_set():
                    self.save_state(number, state.state_dict())
                    yield Stopped(last, state.step)
                    return None
                if time.time() - self.saved_at > SAVE_EVERY_S:
                    self.save_state(number, state.state_dict())
            if state.epoch == order.epochs:
                break
            every = 0 if self.config.subset_steps else self.config.subset_every
            if every and state.epoch % every == 0:
                yield from self.record(last, state, self.network, self.frozen, trained, "subset")
            self.save_state(number, state.state_dict())
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
        yield from self.record(last, state, average, whole, trained, "stage")
        save_checkpoint(self.out / f"stage{last}.safetensors", self.network, last, trained)
        self.seconds[str(last)] = round(self.elapsed(), 1)
        self.began, self.partial_s = time.time(), 0.0
        self.write_manifest("running")
        self.save_state(last + 1, None)
        yield StageEnded(last, tuple(learning), self.seconds[str(last)], state.laps)
        return last + 1

    def save_state(self, number: int, stage_state: dict[str, Any] | None) -> None:
        """Where a resume goes on: the stage, its start and its middle; written atomically."""
        folder = self.out / "state"
        if stage_state is None:
            start = {
                "network": self.network.state_dict(),
                "retention": self.retention.state_dict(),
            }
            write_state(folder / f"start{number}.pt", start)
        records = self.out / "records.jsonl"
        content = {
            "number": number,
            "stage_state": stage_state,
            "records_bytes": records.stat().st_size if records.is_file() else 0,
            "seconds": self.seconds,
            "partial_s": self.elapsed(),
            "config": self.config.to_dict(),
            "sources": self.sources,
            "data_changes": self.data_changes,
        }
        write_state(folder / "resume.pt", content)
        self.saved_at = time.time()

    def restored(self) -> tuple[int, dict[str, Any] | None]:
        """Go back to where the run was saved.

        Returns:
            The stage to go on with, and its middle, or None at its start.

        Raises:
            InputError: there is no whole state, or what was done so far was done with another
                config, other classes or other weights.
        """
        content = last_state(self.out, self.device)
        number, stage_state = content["number"], content["stage_state"]
        begun = number if stage_state else number - 1
        if stage_state and self.retention.together:
            begun = len(self.config.stages)
        check_resumable(self.out, content, self.config, self.provenance, begun)
        self.data_changes = list(content.get("data_changes", [])) + changed_images(
            content["sources"]["data_fingerprint"], self.sources["data_fingerprint"], number
        )
        self.seconds, self.partial_s = content["seconds"], content["partial_s"]
        start = read_state(self.out / "state" / f"start{number}.pt", self.device)
        load_matching(self.network, start["network"])
        self.retention.load_state_dict(start["retention"])
        records = self.out / "records.jsonl"
        if records.is_file():
            # What was recorded after the state was saved is recorded again.
            os.truncate(records, content["records_bytes"])
        return number, stage_state

    def begin_from(self, run: Path) -> None:
        """Take the first stage as another run left it, with its files and its time.

        Raises:
            InputError: that run differs in what decides its first stage, or one of the two methods
                has a first stage of its own.
        """
        theirs = Run(run).manifest
        for method in (self.config.method, theirs["config"]["method"]):
            if retention_class(method).own_start:
                raise InputError(
                    f"{method} has a first stage of its own: train it without --start."
                )
        ours = json.loads(json.dumps(self.manifest("running")))
        for what, found in first_stage(ours).items():
            if found != first_stage(theirs)[what]:
                raise InputError(f"{run} differs in {what}: expected the same to start from it.")
        state = run / "state" / "start2.pt"
        if state.is_file():
            weights = read_state(state, self.device)["network"]
        else:  # published without it: the checkpoint, rounded to half precision
            weights = load_network(run / "stage1.safetensors")[0].state_dict()
        load_matching(self.network, weights)
        self.retention.after_stage(self.open_stage(1))
        copy_first_stage(run, self.out)
        self.seconds = {"1": theirs["stage_seconds"]["1"]}
        self.began = time.time()
        self.save_state(2, None)
