"""Measure how fast a stage with a teacher trains, beside a plain loop and beside no teacher.

    python -m training.benchmark_training --data DIR [--init FILE.safetensors]

The ways take turns in one process, a block of steps each, with the same images. The plain loop
trains the same weights the same stage, but shares nothing: the backbone that rests runs in PyTorch,
once for the student and once for the teacher, and the training process itself decodes every image
again. With --threads 1 the same loop with 1 x 1 convolutions as PyTorch computes them by itself is
measured, too.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress
from torch import Tensor

from mtl_core.data.datasets import training_loader
from mtl_core.learning.hardware import machine, pointwise
from mtl_core.learning.stage import begin_stage, train_epoch
from mtl_core.onnx_graphs.processor import available_cores
from mtl_core.retention import METHODS, Retention
from mtl_core.types import InputError
from training.benchmark import measured, publish, timed
from training.command import run
from training.timing.alternating_times import Case
from training.timing.comparisons import Comparison
from training.train import Options as TrainOptions
from training.train import run_config, trainer_of

STAGE = 2  # the first that has a teacher
WAYS = ("plain loop", "with teacher", "without teacher")
SLOW_POINTWISE = "with teacher, 1 x 1 convolutions by im2col"  # a way of its own with one thread


@dataclass
class Options:
    """Measure the images per second of the second stage."""

    data: Path  # root of the three sets
    out: Path | None = None  # JSON to write
    preset: str = "tuned"
    init: str | None = None  # backbone weights (.safetensors); timm's from the Hub by default
    rounds: int = 12  # blocks of every way
    steps: int = 5  # optimizer steps in a block
    threads: int = 0  # CPU threads; 0 takes what the machine offers
    workers: int = 1  # processes that decode and augment, of all ways but the plain loop


class Blocks:
    """A loader that goes on where it was, so many batches at a time.

    Args:
        loader: batches of an epoch.
        steps: batches of a block.
    """

    def __init__(self, loader: Any, steps: int) -> None:
        self.loader, self.steps = loader, steps
        self.rest: Iterator[Any] = iter(())

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Any]:
        for _ in range(self.steps):
            batch = next(self.rest, None)
            if batch is None:
                self.rest = iter(self.loader)
                batch = next(self.rest)
            yield batch


def way(options: Options, name: str, out: Path) -> Case:
    """A block of steps of the second stage, trained in one of ``WAYS``."""
    plain = name == "plain loop"
    train = TrainOptions(
        data=options.data,
        out=out,
        preset=options.preset,
        init=options.init,
        threads=options.threads,
    )
    trainer = trainer_of(train, run_config(train))
    network = trainer.network
    if name == SLOW_POINTWISE:
        for layer in pointwise(network):
            layer.dilation = (1, 1)
    trainer.retention = Retention() if name == "without teacher" else METHODS["distill"]()
    context = trainer.open_stage(STAGE)
    frozen: Callable[[Tensor], list[Tensor]] = trainer.frozen
    train_sets = {context.stage.task: trainer.train_sets[context.stage.task]}
    if plain:
        network.to(memory_format=torch.contiguous_format)
        frozen = lambda pixels: [pixels.contiguous()]  # noqa: E731
        for train_set in train_sets.values():
            train_set.views.cached_bytes = sys.maxsize  # the cache is full before it begins
    loader, batch_order = training_loader(train_sets, 0, 0 if plain else options.workers)
    network.freeze_norms()
    learning = list(train_sets)
    state = begin_stage(
        network, trainer.config, context.stage, context.earlier, learning, batch_order.total
    )
    if plain:
        network.backbone.cut = 0  # the same weights rest, but nothing is run beforehand
    trainer.retention.before_stage(context)
    blocks: Any = Blocks(loader, options.steps)

    def block() -> None:
        state.epoch = 0  # a late epoch would show its images in another way
        steps = train_epoch(
            state,
            trainer.config,
            context.stage,
            trainer.retention,
            frozen,
            blocks,
            trainer.device,
        )
        for _ in steps:
            pass

    return block


def benchmark(options: Options) -> dict[str, Any]:
    """Times of a block and their ratios.

    Raises:
        InputError: data or weights are not usable.
    """
    if options.rounds < 2 or options.steps < 1:
        raise InputError("--rounds and --steps: expected at least 2 and 1.")
    options.threads = options.threads or available_cores()
    ways = (*WAYS, SLOW_POINTWISE) if options.threads == 1 else WAYS
    with tempfile.TemporaryDirectory() as folder, Progress() as progress:
        cases = {name: way(options, name, Path(folder) / name) for name in ways}
        times = timed(cases, options.rounds, progress, "training")
    ratios = {
        "plain loop / with teacher": ("plain loop", "with teacher"),
        "with teacher / without teacher": ("with teacher", "without teacher"),
    }
    if SLOW_POINTWISE in ways:
        ratios["with teacher / by im2col"] = ("with teacher", SLOW_POINTWISE)
    settings = {"threads": options.threads, "rounds": options.rounds, "steps": options.steps}
    return {
        "machine": machine(),
        "settings": settings | {"preset": options.preset, "stage": STAGE},
        "training": measured(Comparison(cases, {}, ratios), times),
    }


def main(options: Options) -> None:
    """Measure, print, write."""
    publish(benchmark(options), options.out)


if __name__ == "__main__":
    run(main, Options)
