"""Kill trainings at random moments and go on: the end must be the same, bit for bit.

python -m tests.training.kill_runs --kills 20
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
import tyro
from safetensors.torch import load_file, save_file

import training.train
from mtl_core.learning import trainer as trainer_module
from mtl_core.retention import METHODS
from mtl_core.tasks.rendered_sets import render_dataset

COUNTS = {"train": 8, "val": 5}
SIDE_PX = 96
SHORT = {"batch": 4, "epochs": 1}  # of every stage: two steps


def train(root: Path, out: Path, method: str, workers: int, resume: bool) -> None:
    """A short run in this process, its state saved after every step."""
    torch.set_num_threads(1)
    trainer_module.SAVE_EVERY_S = 0.0
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
    """What became of the killed runs of one method."""

    exact: int
    kills: int
    at_s: list[float]
    whole_s: float


def kill_and_resume(root: Path, method: str, kills: int, workers: int, seed: int = 0) -> Killed:
    """Run to the end once, then again and again with a kill -9 at a random moment.

    Args:
        root: as ``prepared`` left it.
        method: against forgetting.
        kills: how many runs are killed, once each.
        workers: of the runs that are killed, in every second one.
        seed: of the moments.
    """
    whole, log = root / f"{method}-whole", root / "log"
    start = time.monotonic()
    process = forked(lambda: train(root, whole, method, 0, False), log)
    assert ended(process) == 0, log.read_text()
    found = Killed(0, kills, [], time.monotonic() - start)
    draw = random.Random(f"{seed} {method}")
    for number in range(kills):
        out, given = root / f"{method}-{number}", workers * (number % 2)
        process = forked(lambda o=out, w=given: train(root, o, method, w, False), log)  # type: ignore[misc]
        found.at_s.append(draw.uniform(0, found.whole_s))
        time.sleep(found.at_s[-1])
        os.kill(process, signal.SIGKILL)
        ended(process)
        # Killed before the first state was whole, it is begun anew, as the refusal says.
        resume = (out / "state" / "resume.pt").exists()
        process = forked(lambda o=out, w=given, r=resume: train(root, o, method, w, r), log)  # type: ignore[misc]
        status = ended(process)
        if status == 0 and same_weights(out, whole):
            found.exact += 1
        else:
            print(f"{method}, killed after {found.at_s[-1]:.2f} s: status {status}, see {log}")
    return found


@dataclass
class Options:
    """Kill runs of every method."""

    kills: int = 20  # of each method
    methods: tuple[str, ...] = tuple(METHODS)
    workers: int = 1  # in every second run
    seed: int = 0


def main(options: Options) -> int:
    """The number of runs that did not end as the whole one."""
    wrong = 0
    start = time.monotonic()
    root = Path(tempfile.mkdtemp(prefix="kill-runs-"))
    prepared(root)
    for method in options.methods:
        found = kill_and_resume(root, method, options.kills, options.workers, options.seed)
        print(
            f"{method}: {found.exact} of {found.kills} exact; a whole run takes "
            f"{found.whole_s:.1f} s, {time.monotonic() - start:.0f} s so far",
            flush=True,
        )
        wrong += found.kills - found.exact
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main(tyro.cli(Options)) else 0)
