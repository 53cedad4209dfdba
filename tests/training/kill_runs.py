"""Kill trainings at random moments and go on: the end must be the same, bit for bit.

python -m tests.training.kill_runs --kills 20
"""

from __future__ import annotations

import functools
import math
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import timm
import torch
import tyro
from safetensors.torch import load_file, save_file

import training.train
from mtl_core.learning import frozen_features
from mtl_core.learning import trainer as trainer_module
from mtl_core.learning.state_files import has_state
from mtl_core.retention import METHODS
from mtl_core.tasks import TASKS
from mtl_core.tasks.rendered_sets import render_dataset

COUNTS = {"train": 8, "val": 5}
SIDE_PX = 96
SHORT = {"batch": 4, "epochs": 1}  # of every stage: two steps


def exported_once(folder: Path) -> None:
    """Take graphs that were exported before: half of a short run's time, and none of its state."""
    export = frozen_features.export

    def kept(module: Any, *arguments: Any) -> onnx.ModelProto:
        path = folder / f"{frozen_features.frozen_key(module.backbone)}.onnx"
        if not path.exists():
            folder.mkdir(exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}")
            onnx.save(export(module, *arguments), part)
            os.replace(part, path)
        return onnx.load(path)

    frozen_features.export = kept


def train(root: Path, out: Path, method: str, workers: int, resume: bool) -> None:
    """A short run in this process, its state saved after every step."""
    torch.set_num_threads(1)
    trainer_module.SAVE_EVERY_S = 0.0
    exported_once(root / "graphs")
    changes = {
        f"stages.{task}.{field}": value
        for task in ("seg", "det", "cls")
        for field, value in SHORT.items()
    }
    training.train.main(
        training.train.Options(
            out=out,
            data=root / "data",
            init=str(root / "backbone.safetensors"),
            preset="tiny",
            method=method,
            workers=workers,
            threads=1,
            check=False,
            resume=resume,
            changes=changes,
        )
    )


def forked(work: Callable[[], None], log: Path) -> int:
    """Start work in a process of its own, which has all modules loaded already; its id."""
    process = os.fork()
    if process:
        return process
    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def ended(process: int) -> int:
    """Wait for a process; its exit status, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def same_weights(found: Path, wanted: Path) -> bool:
    """Whether two runs' checkpoints hold the same tensors, bit for bit."""
    names = sorted(path.name for path in wanted.glob("stage*.safetensors"))
    if sorted(path.name for path in found.glob("stage*.safetensors")) != names or not names:
        return False
    for name in names:
        ours, theirs = load_file(found / name), load_file(wanted / name)
        if ours.keys() != theirs.keys():
            return False
        if not all(torch.equal(value, ours[key]) for key, value in theirs.items()):
            return False
    return True


def prepared(root: Path) -> Path:
    """Rendered images and random backbone weights."""
    process = forked(lambda: _prepare(root), root / "log")  # nothing is computed in this process
    assert ended(process) == 0, (root / "log").read_text()
    return root


def _prepare(root: Path) -> None:
    render_dataset(root / "data", COUNTS, SIDE_PX, seed=1)
    torch.manual_seed(0)
    state = timm.create_model("tf_efficientnet_b0", pretrained=False).state_dict()
    save_file(state, root / "backbone.safetensors", {"input_mean": "0.5,0.5,0.5"})


@dataclass
class Killed:
    """What became of the killed runs of one method.

    Attributes:
        runs: how many there were, and exact: how many of them ended as the whole one.
        kills: how many kills they went through.
        whole_s: what a run takes that is left alone; the first one also exports its graphs.
    """

    whole_s: float
    runs: int = 0
    exact: int = 0
    kills: int = 0


def kill_and_resume(
    root: Path, method: str, kills: int, each: int, workers: int, seed: int = 0
) -> Killed:
    """Run to the end once, then again and again with kill -9 at random moments.

    Args:
        root: as ``prepared`` left it.
        method: against forgetting.
        kills: in all.
        each: most kills of one run; then it is left to come to its end.
        workers: of every second process.
        seed: of the moments.
    """
    whole, log = root / f"{method}-whole", root / "log"
    start = time.monotonic()
    assert ended(forked(lambda: train(root, whole, method, 0, False), log)) == 0, log.read_text()
    found = Killed(time.monotonic() - start)
    draw = random.Random(f"{seed} {method}")
    while found.kills < kills:
        out = root / f"{method}-{found.runs}"
        moments = [draw.uniform(0, 0.6 * found.whole_s) for _ in range(each)]
        status = _through(root, out, method, workers, moments[: kills - found.kills], found)
        found.runs += 1
        if status == 0 and same_weights(out, whole):
            found.exact += 1
            shutil.rmtree(out)
        else:
            print(f"{out} ended with {status} and differs, see {log}", flush=True)
            break
    return found


def _through(
    root: Path, out: Path, method: str, workers: int, moments: list[float], found: Killed
) -> int:
    """One run, killed so long after each of its starts; the last one's exit status."""
    for number, moment in enumerate([*moments, math.inf]):
        # Killed before the first state was whole, it is begun anew, as the refusal says.
        resume = has_state(out)
        given = workers * (number % 2)
        process = forked(functools.partial(train, root, out, method, given, resume), root / "log")
        until = time.monotonic() + moment
        while time.monotonic() < until:
            pid, status = os.waitpid(process, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        os.kill(process, signal.SIGKILL)
        ended(process)
        found.kills += 1
    raise AssertionError("the last start is left alone")


@dataclass
class Options:
    """Kill runs of every method."""

    kills: int = 20  # of each method
    each: int = 1  # of one run before it is left to come to its end
    methods: tuple[str, ...] = tuple(METHODS)
    workers: int = 1  # of every second process
    seed: int = 0


def main(options: Options) -> int:
    """The number of runs that did not end as the whole one."""
    wrong = 0
    start = time.monotonic()
    dict(TASKS)  # imports them: what is loaded here is there in every process
    root = prepared(Path(tempfile.mkdtemp(prefix="kill-runs-")))
    for method in options.methods:
        found = kill_and_resume(
            root, method, options.kills, options.each, options.workers, options.seed
        )
        print(
            f"{method}: {found.kills} kills, {found.exact} of {found.runs} runs exact; one takes "
            f"{found.whole_s:.1f} s alone, {time.monotonic() - start:.0f} s so far",
            flush=True,
        )
        wrong += found.runs - found.exact
    if not wrong:  # else the log is needed
        shutil.rmtree(root)
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main(tyro.cli(Options)) else 0)
