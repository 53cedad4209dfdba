"""Networks opened when first needed, and their answers. One picture in, one answer a stage out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mtl_core.run import Run, StageFile
from mtl_core.types import InputError, Prediction

# Boxes below this are never shown; the page's own threshold starts higher and can go down to it.
LOWEST_SCORE = 0.05


class Engine(Protocol):
    """One network of one stage, ready to answer."""

    @property
    def info(self) -> Any:
        """What the checkpoint says of itself: ``class_names``, ``taught`` and ``stage``."""
        ...

    def predict(self, picture: np.ndarray, score_threshold: float = ...) -> Prediction:
        """All tasks of one picture (H x W x 3 uint8 RGB) in one pass."""
        ...


@dataclass(frozen=True)
class StageAnswer:
    """What one stage of a run says of a picture; parts never taught are None.

    Attributes:
        number: of the stage, from 1.
        task: what this stage taught.
        taught: all tasks taught so far, in order.
        prediction: only of the tasks taught.
        total_ms: time of the whole pass, decoding of the file not included.
    """

    number: int
    task: str
    taught: tuple[str, ...]
    prediction: Prediction
    total_ms: float


def _open(weights: Path) -> Engine:
    # Imported here: torch takes seconds to load, and the page should stand before that.
    from mtl_core.engine import open_engine

    return open_engine(weights)


class EngineShelf:
    """Opens each checkpoint once and keeps it. Safe to use from several threads.

    Args:
        open_engine: makes an engine of a checkpoint's path; tests put a stand-in here.
    """

    def __init__(self, open_engine: Callable[[Path], Engine] = _open) -> None:
        self._open_engine = open_engine
        self._engines: dict[Path, Engine] = {}
        self._opening = threading.Lock()
        # One pass at a time: on two cores, two passes side by side are slower than in turn.
        self._passing = threading.Lock()
        self.passes = 0

    def engine(self, stage: StageFile) -> Engine:
        """The engine of a stage, opened on first use."""
        key = stage.weights.resolve()
        with self._opening:
            if key not in self._engines:
                self._engines[key] = self._open_engine(stage.weights)
            return self._engines[key]

    def answer(self, run: Run, stage: StageFile, picture: np.ndarray) -> StageAnswer:
        """One stage's answer to a picture (H x W x 3 uint8 RGB)."""
        engine = self.engine(stage)
        prediction, total_ms = self.timed(engine, picture)
        taught = tuple(engine.info.taught)
        return StageAnswer(
            stage.number, stage.task, taught, only_taught(prediction, taught), total_ms
        )

    def timed(self, engine: Engine, picture: np.ndarray) -> tuple[Prediction, float]:
        """One pass in its turn: the prediction and the milliseconds it took, waiting left out."""
        with self._passing:
            start = time.perf_counter()
            prediction = engine.predict(picture, score_threshold=LOWEST_SCORE)
            total_ms = (time.perf_counter() - start) * 1000
            self.passes += 1
        return prediction, total_ms

    def answers(self, run: Run, picture: np.ndarray) -> Iterator[StageAnswer]:
        """Every stage's answer, one after another."""
        for stage in run.stages:
            yield self.answer(run, stage, picture)

    def warm_up(self, run: Run) -> threading.Thread:
        """Open a run's engines in the background, so that the first picture need not wait."""

        def work() -> None:
            blank = np.full((64, 64, 3), 128, np.uint8)
            try:
                for stage in run.stages:
                    self.answer(run, stage, blank)
            except (InputError, ImportError, OSError) as error:
                print(f"Warm-up of {run.name} stopped: {error}")

        thread = threading.Thread(target=work, name="warm-up", daemon=True)
        thread.start()
        return thread


def only_taught(prediction: Prediction, taught: tuple[str, ...]) -> Prediction:
    """The prediction without the outputs that no lesson has shaped yet: they are noise."""
    return replace(
        prediction,
        boxes=prediction.boxes if "det" in taught else None,
        mask=prediction.mask if "seg" in taught else None,
        probabilities=prediction.probabilities if "cls" in taught else None,
    )
