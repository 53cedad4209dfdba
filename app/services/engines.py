"""Networks opened when first needed, and their answers. One image in, one answer a stage out."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from mtl_core.runs.run_directory import Run, StageFile
from mtl_core.types import InputError, Prediction

T = TypeVar("T")
# Boxes below this are never shown; the page's own threshold starts higher and can go down to it.
LOWEST_SCORE = 0.05
# The engine that answers images, and PyTorch, which it is measured beside.
DEFAULT, REFERENCE = KINDS = ("default", "torch")
# Checkpoint files behind the networks that stay open; a network takes some 2.5 times its file.
KEPT_BYTES = 100 * 2**20


class Engine(Protocol):
    """One network of one stage, ready to answer."""

    @property
    def info(self) -> Any:
        """What the checkpoint says of itself: ``class_names``, ``trained`` and ``stage``."""
        ...

    def predict(self, image: np.ndarray, score_threshold: float = ...) -> Prediction:
        """All tasks of one image (H x W x 3 uint8 RGB) in one pass."""
        ...


class Bank(Protocol):
    """All stages of a run at once."""

    @property
    def stages(self) -> Sequence[Any]:
        """One per checkpoint, each with its ``info``."""
        ...

    def predict_all(self, image: np.ndarray, score_threshold: float = ...) -> list[Prediction]:
        """Every stage's prediction of one image (H x W x 3 uint8 RGB)."""
        ...


@dataclass(frozen=True)
class StageAnswer:
    """What one stage of a run says of an image; parts never trained are None.

    Attributes:
        number: of the stage, from 1.
        task: what this stage trained.
        trained: all tasks trained so far, in order.
        prediction: only of the tasks trained.
        total_ms: time of the whole pass, decoding of the file not included; None where stages
            shared their work, and none has a time of its own.
    """

    number: int
    task: str
    trained: tuple[str, ...]
    prediction: Prediction
    total_ms: float | None


def _open(weights: Path) -> Engine:
    # Imported here: torch takes seconds to load, and the page should stand before that.
    from mtl_core.engine import open_engine

    return open_engine(weights)


def _open_reference(weights: Path) -> Engine:
    from mtl_core.engine import open_engine

    return open_engine(weights, "torch")


def _open_bank(paths: list[Path]) -> Bank | None:
    from mtl_core.engine import open_bank

    return open_bank(paths)


@dataclass
class _Held:
    """What was opened of some files, or is being opened."""

    version: list[Any]
    sizes: dict[Path, int]
    opened: Future[Any] = field(default_factory=Future)


class EngineShelf:
    """Opens each checkpoint once and keeps it. Safe to use from several threads.

    What was used longest ago is let go where the rest is beyond a bound.

    Args:
        open_engine: makes an engine of a checkpoint's path; tests put a stand-in here.
        open_bank: makes one engine of several checkpoints that share a backbone, or None where each
            must run by itself; by default none is made with another ``open_engine``.
        open_reference: makes the engine in PyTorch that others are measured beside.
        kept_bytes: of all checkpoint files whose networks stay open; what was asked for last stays
            in any case.
    """

    def __init__(
        self,
        open_engine: Callable[[Path], Engine] = _open,
        open_bank: Callable[[list[Path]], Bank | None] | None = None,
        open_reference: Callable[[Path], Engine] = _open_reference,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self._open_engine = open_engine
        if open_bank is None and open_engine is _open:
            open_bank = _open_bank
        self._open_bank = open_bank
        self._open_reference = open_reference
        self._kept_bytes = kept_bytes
        self._held: OrderedDict[tuple[str, tuple[Path, ...]], _Held] = (
            OrderedDict()
        )  # used longest ago first
        self._taking = threading.Lock()
        # One pass at a time: on two cores, two passes side by side are slower than in turn.
        self._passing = threading.Lock()
        self.passes = 0

    def engine(self, stage: StageFile, kind: str = DEFAULT) -> Engine:
        """The engine of a stage, opened on first use.

        Args:
            stage: whose weights.
            kind: ``DEFAULT`` or ``REFERENCE``.

        Raises:
            InputError: the kind is another one.
        """
        if kind not in KINDS:
            raise InputError(f"Engine {kind!r} is unknown, expected one of {', '.join(KINDS)}.")
        make = self._open_engine if kind == DEFAULT else self._open_reference
        return self._opened(kind, [stage], lambda: make(stage.weights))

    def _opened(self, kind: str, stages: list[StageFile], make: Callable[[], T]) -> T:
        """What ``make`` gives, made once for all who ask, and again when a file has changed."""
        key = kind, tuple(stage.weights.resolve() for stage in stages)
        version = [stage.version for stage in stages]
        with self._taking:
            held = self._held.get(key)
            mine = held is None or held.version != version
            if held is None or mine:
                sizes = {s.weights.resolve(): s.weights.stat().st_size for s in stages}
                held = self._held[key] = _Held(version, sizes)
            self._held.move_to_end(key)
            self._let_go()
        if mine:
            # Outside the lock: who waits for another network must not wait for this one.
            try:
                held.opened.set_result(make())
            except BaseException as error:
                with self._taking:
                    if self._held.get(key) is held:
                        del self._held[key]  # so that the next one tries again
                held.opened.set_exception(error)
        opened: T = held.opened.result()
        return opened

    def _let_go(self) -> None:
        """Drop what was used longest ago until the files behind the rest are within the bound."""
        while len(self._held) > 1:
            files: dict[Path, int] = {}
            for held in self._held.values():
                files |= held.sizes
            if sum(files.values()) <= self._kept_bytes:
                return
            self._held.popitem(last=False)

    def forget(self, path: Path) -> None:
        """Let go of the engines of the run of that directory, which is about to be removed."""
        folder = path.resolve()
        with self._taking:
            for key in [k for k in self._held if any(p.parent == folder for p in k[1])]:
                del self._held[key]

    def answer(self, run: Run, stage: StageFile, image: np.ndarray) -> StageAnswer:
        """One stage's answer to an image (H x W x 3 uint8 RGB)."""
        engine = self.engine(stage)
        prediction, total_ms = self.timed(engine, image)
        trained = tuple(engine.info.trained)
        return StageAnswer(
            stage.number, stage.task, trained, only_trained(prediction, trained), total_ms
        )

    def timed(self, engine: Engine, image: np.ndarray) -> tuple[Prediction, float]:
        """One pass in its turn: the prediction and the milliseconds it took, waiting left out."""
        with self._passing:
            start = time.perf_counter()
            prediction = engine.predict(image, score_threshold=LOWEST_SCORE)
            total_ms = (time.perf_counter() - start) * 1000
            self.passes += 1
        return prediction, total_ms

    def bank(self, run: Run) -> Bank | None:
        """The engine of all stages of a run, opened on first use; None where there is none."""
        if self._open_bank is None:
            return None
        open_bank = self._open_bank
        paths = [stage.weights for stage in run.stages]
        return self._opened("bank", run.stages, lambda: open_bank(paths))

    def answers(self, run: Run, image: np.ndarray) -> tuple[list[StageAnswer], float]:
        """Every stage's answer, the shared backbone run once, and the milliseconds of it all.

        Opening the networks and waiting for others' passes are left out of that time.

        Args:
            run: whose stages.
            image: H x W x 3 uint8 RGB.
        """
        bank = self.bank(run)
        if bank is None:
            alone = [self.answer(run, stage, image) for stage in run.stages]
            return alone, sum(answer.total_ms or 0.0 for answer in alone)
        with self._passing:
            start = time.perf_counter()
            predictions = bank.predict_all(image, score_threshold=LOWEST_SCORE)
            spent_ms = (time.perf_counter() - start) * 1e3
            self.passes += 1
        found = []
        for stage, member, prediction in zip(run.stages, bank.stages, predictions, strict=True):
            trained = tuple(member.info.trained)
            said = only_trained(prediction, trained)
            found.append(StageAnswer(stage.number, stage.task, trained, said, None))
        return found, spent_ms

    def warm_up(self, run: Run) -> threading.Thread:
        """Open a run's engines in the background, so that the first image need not wait."""

        def work() -> None:
            blank = np.full((64, 64, 3), 128, np.uint8)
            try:
                self.answers(run, blank)
            except (InputError, ImportError, OSError) as error:
                print(f"Warm-up of {run.name} stopped: {error}")

        thread = threading.Thread(target=work, name="warm-up", daemon=True)
        thread.start()
        return thread


def only_trained(prediction: Prediction, trained: tuple[str, ...]) -> Prediction:
    """The prediction without the outputs that no stage has shaped yet: they are noise."""
    return prediction.only(trained)
