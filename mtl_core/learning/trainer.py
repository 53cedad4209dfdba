"""A run from its first stage to its last: a library that yields what happens and can be stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import torch

from mtl_core.config import RunConfig, StageConfig
from mtl_core.data.datasets import AugmentedImages, TrainingSet, training_loader
from mtl_core.engine.network_file import save_checkpoint
from mtl_core.learning.events import (
    Begun,
    Event,
    StageBegun,
    StageEnded,
    Step,
    Stopped,
)
from mtl_core.learning.frozen_features import FrozenFeatures, frozen_key
from mtl_core.learning.hardware import avoid_slow_pointwise
from mtl_core.learning.manifest import stages_as_trained
from mtl_core.learning.recording import record
from mtl_core.learning.resume import with_statistics
from mtl_core.learning.run_data import RunData
from mtl_core.learning.run_progress import RunProgress
from mtl_core.learning.stage import begin_stage, train_epoch
from mtl_core.learning.state_files import Writer
from mtl_core.metrics.class_mapping import data_to_model
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.retention import StageContext, retention_class
from mtl_core.tasks import build_tasks

SAVE_EVERY_S = 300.0  # of training, beside every epoch's end


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
        further: its second stage is trained further, instead of anew from its first; what is kept
            is held to the first all the same.
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
        further: bool = False,
        feature_store: Path | None = None,
        workers: int = 1,
        threads: int = 0,
    ) -> None:
        self.data, self.out, self.workers = data, out, workers
        self.start, self.further = start, further
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
        if self.device.type == "cpu" and torch.get_num_threads() == 1:
            avoid_slow_pointwise(self.network)
        self.retention = retention_class(config.method)()
        self.train_sets = {
            stage.task: TrainingSet(self.network.tasks[stage.task], self._views(stage))
            for stage in config.stages
        }
        self.latest: FrozenFeatures | None = None  # the last that was made
        self.progress = RunProgress(
            out, self.config, data, self.network, self.retention, self.provenance
        )
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
                number, stage_state = self.progress.restore()
            elif self.start:
                self.progress.take_first_stage(self.start)
                if self.further:
                    self.progress.take_second_stage(self.start)
                self.retention.after_stage(self.open_stage(1))
                number = 2
            if not resume:
                self.progress.save(number, None)
            self.progress.write_manifest("running")
            yield self.begun(number, stage_state)
            while number <= len(self.config.stages):
                following = yield from self.stage(number, stage_state)
                if following is None:
                    self.progress.write_manifest("stopped")
                    return
                number, stage_state = following, None
            self.progress.write_manifest("finished")

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
        changes = self.progress.data_changes
        notes = tuple(change["note"] for change in changes if change["stage"] == number)
        threads = torch.get_num_threads()
        return Begun(self.device.type, threads, counts, self.provenance, steps, notes)

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
        self.progress.go_further(number)
        state = begin_stage(self.network, self.config, stage, earlier, learning, order.total)
        if resumed:
            state.load_state_dict(resumed)

        def subset(tasks: list[str]) -> Iterator[Event]:
            splits = [self.data.evaluation[task] for task in tasks]
            n = self.config.subset_n
            return record(self.out, last, state, self.network, self.frozen, splits, n)

        yield StageBegun(last, tuple(learning), state.step, order.total, order.epochs)
        if not resumed and earlier and self.config.subset_steps:
            yield from subset(earlier)
        while state.epoch < order.epochs:
            order.epoch, order.done = state.epoch, state.batches
            for _ in train_epoch(
                state, self.config, stage, self.retention, self.frozen, loader, self.device
            ):
                rate = float(max(state.schedule.get_last_lr()))
                yield Step(last, state.step, state.epoch, rate, dict(state.losses))
                every = self.config.subset_steps
                if every and state.step % every == 0 and state.step < order.total:
                    yield from subset(trained)
                    self.network.train()
                if self._stop.is_set():
                    self.progress.save(number, state.state_dict())
                    yield Stopped(last, state.step)
                    return None
                if time.time() - self.progress.saved_at > SAVE_EVERY_S:
                    self.progress.save(number, state.state_dict())
            if state.epoch == order.epochs:
                break
            every = 0 if self.config.subset_steps else self.config.subset_every
            if every and state.epoch % every == 0:
                yield from subset(trained)
            self.progress.save(number, state.state_dict())
        # The averaged weights are the stage's result: they are shipped and trained further.
        self.network.load_state_dict(state.average.module.state_dict())
        self.retention.after_stage(context)
        average = cast(UnifiedVisionSystem, state.average.module)
        # Whatever moved: the same way through the backbone after every stage, so that equal weights
        # give equal scores, and the faster one.
        average.backbone.freeze_until(None)
        follows = stages_as_trained(self.config, self.retention)[last:]
        rests = bool(follows) and not follows[0]["lr_backbone"]
        whole = self.frozen_features(average, rests)
        splits = [self.data.evaluation[task] for task in trained]
        yield from record(self.out, last, state, average, whole, splits)
        save_checkpoint(self.out / f"stage{last}.safetensors", self.network, last, trained)
        yield StageEnded(last, tuple(learning), self.progress.end_stage(last), state.laps)
        return last + 1
