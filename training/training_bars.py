"""A training shown in a terminal, or line by line where its output is kept in a file."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mtl_core.learning.events import (
    Begun,
    Evaluated,
    Evaluating,
    StageBegun,
    StageEnded,
    Step,
    Stopped,
    reached,
)
from mtl_core.learning.trainer import Trainer

LINE_EVERY_S = 30.0  # in a file, where a bar would fill pages
FIRST_ESTIMATE = 10  # steps after which the time still to come is shown


class TrainingBars:
    """Listens to a trainer.

    Args:
        profile: print where the time of every stage went.
    """

    def __init__(self, profile: bool = False) -> None:
        self.profile, self.stopped = profile, False
        self.place = "nothing was trained yet"
        self.bar: Any = None
        self.stage: StageBegun | None = None
        self.steps_left: dict[int, int] = {}
        self.stage_began = self.line_at = time.time()
        self.is_terminal = sys.stderr.isatty()

    def follow(self, trainer: Trainer, resume: bool) -> None:
        """Train to the end, or until Ctrl-C or a SIGTERM has saved the state."""
        before = {s: signal.signal(s, lambda *_: trainer.stop()) for s in _signals()}
        try:
            for event in trainer.events(resume):
                getattr(self, f"on_{type(event).__name__.lower()}")(event)
        finally:
            self._close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def reached(self, out: Path) -> str:
        """How far it has come, and how to go on."""
        return f"Reached: {self.place}. Go on with the same command and --resume (state in {out})."

    def on_begun(self, event: Begun) -> None:
        """What is about to be done."""
        self.steps_left = dict(event.steps)
        images = ", ".join(f"{t} {n} (evaluated on {m})" for t, (n, m) in event.images.items())
        source = event.weights.get("file") or event.weights.get("source") or "unknown"
        print(f"Training on {event.device}, {event.threads} threads. Images: {images}.")
        print(f"Backbone weights: {source}. Steps to do: {sum(event.steps.values())}.")
        for note in event.notes:
            print(f"Note: {note}")

    def on_stagebegun(self, event: StageBegun) -> None:
        """A bar for a stage."""
        self._close()
        self.stage, self.stage_began = event, time.time()
        self.place = reached(event.number, event.tasks, event.step, event.steps)
        title = f"stage {event.number}, {'+'.join(event.tasks)}"
        if self.is_terminal:
            self.bar = tqdm(total=event.steps, initial=event.step, desc=title, unit="step")
        else:
            print(f"{title}: {event.steps - event.step} steps", flush=True)

    def on_step(self, event: Step) -> None:
        """One step on; numbers are read now and then, since reading them waits for the device."""
        assert self.stage is not None
        self.place = reached(event.number, self.stage.tasks, event.step, self.stage.steps)
        done = event.step - self.stage.step
        if done == FIRST_ESTIMATE:
            rate = (time.time() - self.stage_began) / done
            minutes = [rate * (n - done * (k == 0)) / 60 for k, n in enumerate(self._left())]
            self._say(
                f"About {minutes[0]:.0f} min for this stage, {sum(minutes):.0f} in all "
                "at this rate, without evaluations."
            )
        if self.bar is not None:
            self.bar.update()
        if time.time() - self.line_at < (1.0 if self.is_terminal else LINE_EVERY_S):
            return
        self.line_at = time.time()
        losses = {name: f"{value:.3f}" for name, value in event.losses().items()}
        if self.bar is not None:
            self.bar.set_postfix({**losses, "lr": f"{event.rate:.1e}"})
        else:
            terms = ", ".join(f"{name} {value}" for name, value in losses.items())
            rate = (time.time() - self.stage_began) / done
            left = rate * (self.stage.steps - event.step) / 60
            print(f"step {event.step}/{self.stage.steps}, {terms}, {left:.0f} min left", flush=True)

    def _left(self) -> list[int]:
        """Steps still to come per stage when the present one began."""
        assert self.stage is not None
        later = [n for number, n in self.steps_left.items() if number > self.stage.number]
        return [self.stage.steps - self.stage.step, *later]

    def on_evaluating(self, event: Evaluating) -> None:
        """A word beside the bar."""
        if self.bar is not None and (event.done % 10 == 0 or event.done == event.total):
            self.bar.set_postfix_str(f"evaluating {event.task} {event.done}/{event.total}")

    def on_evaluated(self, event: Evaluated) -> None:
        """A line of scores."""
        scores = ", ".join(f"{k} {v:.4f}" for k, v in event.score.values.items())
        place = f"stage {event.number} epoch {event.epoch} {event.scope} {event.task}"
        self._say(f"{place}: {scores} (n={event.score.n})")

    def on_stageended(self, event: StageEnded) -> None:
        """Where the time went, if that was asked."""
        self.place = f"stage {event.number} ({', '.join(event.tasks)}), to its end"
        self._close()
        if self.profile:
            event.laps.print(f"stage {event.number}, {', '.join(event.tasks)}")

    def on_stopped(self, event: Stopped) -> None:
        """The end before the end."""
        self.stopped = True
        self._close()
        print(f"Stopped and saved: {self.place}. Go on with the same command and --resume.")

    def _say(self, line: str) -> None:
        tqdm.write(line) if self.bar is not None else print(line, flush=True)

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def _signals() -> list[signal.Signals]:
    """What ends a process kindly, where it may be caught: in the main thread alone."""
    import threading

    if threading.current_thread() is not threading.main_thread():
        return []
    return [signal.SIGINT, signal.SIGTERM]
