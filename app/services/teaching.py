"""Trainings that visitors start: one at a time, in a process of its own, the others in line."""

from __future__ import annotations

import atexit
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtl_core.onnx_graphs.template import cache_folder

PROJECT = Path(__file__).resolve().parents[2]
METHODS = ("finetune", "distill", "replay", "ewc")
# A process that is ready before a visitor presses the button waits so long for it.
SPARE_S = 120.0
ENDED = ("finished", "stopped", "failed")


@dataclass(frozen=True)
class Choice:
    """What a visitor chose: method, factor on what it adds to the loss, order of the tasks."""

    method: str
    strength: float
    order: tuple[str, ...]


@dataclass
class Training:
    """One training of one visitor, and what it has said so far.

    Attributes:
        visitor: whose.
        choice: what was asked for.
        out: the run directory; whole once the status is ``"finished"``.
        status: ``"waiting"``, ``"starting"``, ``"training"``, ``"finished"``, ``"stopped"``, or
            ``"failed"``.
        message: why it failed.
        steps: optimizer steps of every stage.
        scores: as the process gives them: stage, step, task, value, scope.
        scenes: the drawn scene after every finished stage.
        scene: the last one that was drawn.
        version: grows with everything that is said.
        begun_s: when its first step began, on a clock that never goes back.
    """

    visitor: str
    choice: Choice
    out: Path
    status: str = "waiting"
    message: str = ""
    steps: list[int] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)
    scenes: list[dict[str, Any]] = field(default_factory=list)
    scene: dict[str, Any] | None = None
    version: int = 0
    begun_s: float = 0.0

    @property
    def over(self) -> bool:
        """Whether nothing more will be said."""
        return self.status in ENDED

    @property
    def can_be_opened(self) -> bool:
        """Whether a stage was finished and all of its files are written."""
        return self.status in ("finished", "stopped") and bool(self.scenes)

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest takes at the pace so far; None until a tenth is done."""
        if self.scene is None:
            return None
        total = sum(self.steps)
        done: int = sum(self.steps[: self.scene["stage"] - 1]) + self.scene["step"]
        if done < total / 10:
            return None
        return (time.monotonic() - self.begun_s) / done * (total - done)

    def hear(self, said: dict[str, Any]) -> None:
        """Take in one line of the process."""
        kind = said["kind"]
        if kind == "begun":
            self.steps, self.status = said["steps"], "training"
            self.begun_s = time.monotonic()
        elif kind == "score":
            self.scores.append(said)
        elif kind == "scene":
            self.scene = said
            if said["ended"]:
                self.scenes.append(said)
        elif kind in ENDED:
            self.status, self.message = kind, said.get("message", "")
        self.version += 1


class TeachingQueue:
    """The trainings of all visitors. Safe to use from several threads.

    Args:
        counts: scenes per split and task.
        epochs: of every stage, instead of the recipe's; 0 leaves them.
        cache: folder of the rendered scenes.

    Attributes:
        removed: called with every run directory that is about to be removed.
    """

    def __init__(
        self,
        counts: dict[str, int] | None = None,
        epochs: int = 0,
        cache: Path | None = None,
    ) -> None:
        self.settings = {
            "counts": counts,
            "epochs": epochs,
            "cache": str(cache or cache_folder()),
        }
        self.removed: Callable[[Path], None] = lambda out: None
        self._lock = threading.RLock()
        self._latest: dict[str, Training] = {}
        self._before: dict[str, Training] = {}
        self._line: deque[Training] = deque()  # the first is trained, the others wait
        self._process: subprocess.Popen[str] | None = None
        self._spare: subprocess.Popen[str] | None = None
        self._folder: Path | None = None
        atexit.register(self.close)

    def latest(self, visitor: str) -> Training | None:
        """The visitor's last training."""
        return self._latest.get(visitor)

    def before(self, visitor: str) -> Training | None:
        """The one before it, if it got as far as a score."""
        return self._before.get(visitor)

    def place(self, visitor: str) -> int:
        """How many trainings are before the visitor's; 0 where none is."""
        with self._lock:
            places = [i for i, training in enumerate(self._line) if training.visitor == visitor]
        return places[0] if places else 0

    def warm(self) -> None:
        """Have a process ready, as somebody may press the button soon."""
        with self._lock:
            if self._process is None and self._spare is None:
                spare = self._spare = self._launched()
                timer = threading.Timer(SPARE_S, self._dismiss, [spare])
                timer.daemon = True
                timer.start()

    def start(self, visitor: str, choice: Choice) -> Training:
        """Put a training in line; one that the visitor has there ends."""
        with self._lock:
            self._end(visitor)
            previous = self._latest.get(visitor)
            if previous is not None and previous.scores:
                self._forget(self._before.pop(visitor, None))
                self._before[visitor] = previous
            else:
                self._forget(previous)
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="onehead-"))
            place = Path(tempfile.mkdtemp(dir=self._folder))
            training = Training(visitor, choice, place / f"quick-{choice.method}")
            self._latest[visitor] = training
            self._line.append(training)
            self._advance()
            return training

    def stop(self, visitor: str) -> None:
        """End the visitor's training after its present step; what it has done is kept."""
        with self._lock:
            training = self._latest.get(visitor)
            if training is None or training.over:
                return
            if self._process is not None and self._line[0] is training:
                _write(self._process, "stop")
            else:
                self._line.remove(training)
                training.hear({"kind": "stopped"})

    def leave(self, visitor: str) -> None:
        """End what the visitor started and remove its files."""
        with self._lock:
            self._end(visitor)
            for kept in (self._latest, self._before):
                self._forget(kept.pop(visitor, None))

    def close(self) -> None:
        """End all processes and remove all files."""
        with self._lock:
            self._line.clear()
            for process in (self._process, self._spare):
                if process is not None:
                    process.kill()
            self._process = self._spare = None
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, visitor: str) -> None:
        for training in [t for t in self._line if t.visitor == visitor]:
            if self._process is not None and self._line[0] is training:
                process, self._process = self._process, None
                process.kill()
                process.wait()
            self._line.remove(training)
            if not training.over:
                training.hear({"kind": "stopped"})
        self._advance()

    def _advance(self) -> None:
        if self._process is not None or not self._line:
            return
        training = self._line[0]
        process, self._spare = self._spare or self._launched(), None
        if process.poll() is not None:  # a spare one that has died meanwhile
            process = self._launched()
        self._process, training.status = process, "starting"
        chosen = training.choice
        order = {"method": chosen.method, "strength": chosen.strength, "order": chosen.order}
        _write(process, json.dumps(order | {"out": str(training.out)}))
        threading.Thread(target=self._listen, args=(process, training), daemon=True).start()

    def _listen(self, process: subprocess.Popen[str], training: Training) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            training.hear(json.loads(line))
        process.wait()
        with self._lock:
            if self._process is not process:
                return  # the visitor has left
            self._process = None
            self._line.remove(training)
            if not training.over:
                training.hear({"kind": "failed", "message": f"exit status {process.returncode}"})
            self._advance()

    def _launched(self) -> subprocess.Popen[str]:
        module = "app.services.teaching_process"
        return subprocess.Popen(
            [sys.executable, "-m", module, json.dumps(self.settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
        )

    def _dismiss(self, spare: subprocess.Popen[str]) -> None:
        with self._lock:
            if self._spare is spare:
                self._spare = None
                spare.kill()
                spare.wait()

    def _forget(self, training: Training | None) -> None:
        if training is not None:
            self.removed(training.out)
            shutil.rmtree(training.out.parent, ignore_errors=True)


def _write(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(line + "\n")
        process.stdin.flush()
    except OSError:
        pass  # it has ended; its listener says so
