"""A training in a process of its own: orders come line by line, what happens goes out likewise.

    python -m app.services.teaching_process SETTINGS

The settings are JSON: ``cache`` (folder of the scenes), ``counts`` and ``epochs``. The first line
of the standard input is the order, JSON as well: ``method``, ``strength``, ``order``, ``out``.
Any line after it, or the input's end, stops the training; PyTorch is loaded before it is read.
What goes out is one JSON object a line, told apart by ``kind``.
"""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from app.results.overlay import overlay
from mtl_core.analysis.verdicts import judge
from mtl_core.data.synthetic.shown_scene import shown_scene
from mtl_core.learning.evaluation import predict_task
from mtl_core.learning.events import Begun, Evaluated, StageBegun, StageEnded, Step, Stopped
from mtl_core.learning.quick_run import QuickRun, rendered
from mtl_core.learning.trainer import Trainer
from mtl_core.onnx_graphs.processor import available_cores
from mtl_core.runs.run_directory import Run
from mtl_core.tasks import TASKS
from mtl_core.types import InputError, Prediction

NICENESS = 10  # images are answered first
THREADS = 2
REDRAW_S = 0.7

Emit = Callable[[dict[str, Any]], None]


def train(scenes: Path, epochs: int, order: dict[str, Any], emit: Emit) -> None:
    """One run, from its order to its verdicts.

    Args:
        scenes: what it trains on.
        epochs: of every stage, instead of the recipe's; 0 leaves them.
        order: method, strength, order and out.
        emit: hears what happens.
    """
    choice = QuickRun(
        order["method"], tuple(order["order"]), float(order["strength"]), epochs=epochs
    )
    out = Path(order["out"])
    threads = min(THREADS, available_cores())
    trainer = choice.trainer(scenes, out, workers=0, threads=threads)
    threading.Thread(target=_stop_when_told, args=(trainer,), daemon=True).start()
    scene, drawn_at, step, trained = shown_scene(), 0.0, 0, list[str]()
    status = "finished"
    for event in trainer.events():
        if isinstance(event, Begun):
            steps = [event.steps[number] for number in sorted(event.steps)]
            emit({"kind": "begun", "steps": steps})
        elif isinstance(event, StageBegun):
            trained += event.tasks
        elif isinstance(event, Evaluated):
            metric = TASKS.infos[event.task].metrics[0]
            place = {"stage": event.number, "step": event.step, "task": event.task}
            value = event.score.values[metric]
            emit({"kind": "score", **place, "value": value, "scope": event.scope})
        elif isinstance(event, Stopped):
            status = "stopped"
        if isinstance(event, Step):
            step, ended = event.step, False
        elif isinstance(event, StageEnded):
            ended = True
        else:
            continue
        if ended or time.monotonic() - drawn_at > REDRAW_S:
            place = {"stage": event.number, "step": step, "ended": ended}
            emit({"kind": "scene", **place, **drawn(trainer, scene, trained)})
            drawn_at = time.monotonic()
    shutil.rmtree(out / "state")  # nobody goes on with it
    if list(out.glob("stage*.safetensors")):
        judge(Run(out), trainer.data.evaluation)
    emit({"kind": status})


def drawn(trainer: Trainer, scene: np.ndarray, tasks: list[str]) -> dict[str, Any]:
    """The scene with mask and boxes as the network sees it now, and the class it names."""
    network = trainer.network
    was_training = network.training
    network.eval()
    answers = [predict_task(network, trainer.frozen, scene, task) for task in tasks]
    network.train(was_training)
    parts = {task: part for answer in answers for task, part in answer.parts.items()}
    whole = Prediction(answers[0].size_hw, answers[0].class_names, parts)
    buffer = io.BytesIO()
    Image.fromarray(overlay(scene, whole)).save(buffer, "JPEG", quality=85)
    found = {"image": base64.b64encode(buffer.getvalue()).decode()}
    if whole.probabilities is None:
        return found
    best = int(whole.probabilities.argmax())
    return found | {"class": whole.names("bars")[best], "share": float(whole.probabilities[best])}


def _stop_when_told(trainer: Trainer) -> None:
    sys.stdin.readline()
    trainer.stop()


def main() -> None:
    """Get ready, wait for the order, train."""
    os.nice(NICENESS)
    # What libraries print must not come between the lines that the page reads.
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def emit(content: dict[str, Any]) -> None:
        print(json.dumps(content), file=lines, flush=True)

    settings = json.loads(sys.argv[1])
    scenes = rendered(Path(settings["cache"]), settings["counts"])
    emit({"kind": "ready"})
    order = sys.stdin.readline()
    if not order:
        return
    try:
        train(scenes, settings["epochs"], json.loads(order), emit)
    except (InputError, OSError, RuntimeError) as error:
        emit({"kind": "failed", "message": str(error)})


if __name__ == "__main__":
    main()
