"""Mishaps in the middle of a training: a sentence, and a resume to the very same result."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from mtl_core.learning import recording, run_progress, trainer
from mtl_core.learning.state_files import has_state
from mtl_core.runs.run_directory import Run
from mtl_core.types import InputError
from training.train import Options, main, prepare_out
from training.training_bars import TrainingBars

Make = Callable[..., Options]
ROOT = Path(__file__).resolve().parents[2]


def same_weights(found: Path, wanted: Path) -> None:
    names = sorted(p.name for p in wanted.glob("stage*.safetensors"))
    assert sorted(p.name for p in found.glob("stage*.safetensors")) == names
    for name in names:
        a, b = load_file(found / name), load_file(wanted / name)
        assert [k for k in b if not (a[k] == b[k]).all()] == [], name


@pytest.mark.parametrize("write", [0, 3, 6, 9])
def test_a_full_disk_ends_in_a_sentence_and_is_gone_on_from(
    whole_run: Path, options: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: int
):
    """A write of a run fails: its state, its records, its checkpoint, its manifest."""
    calls = 0
    for module, name in (
        (run_progress, "write_state"),
        (run_progress, "write_sealed"),
        (recording, "append_records"),
        (trainer, "save_checkpoint"),
    ):
        original = getattr(module, name)

        def failing(*arguments, original=original, **named):
            nonlocal calls
            calls += 1
            if calls == write + 2:
                raise OSError(errno.ENOSPC, "No space left on device", str(arguments[0]))
            return original(*arguments, **named)

        monkeypatch.setattr(module, name, failing)
    out = tmp_path / "run"
    with pytest.raises(SystemExit, match=r"No space left on device\. Reached: .*--resume"):
        main(options(out))
    monkeypatch.undo()
    monkeypatch.setenv("ONEHEAD_CACHE", os.environ["ONEHEAD_CACHE"])
    # Where not even the first state was written there is nothing to go on with, and no harm done.
    main(options(out, resume=has_state(out)))
    same_weights(out, whole_run)


def test_a_stop_between_steps_is_gone_on_from(
    whole_run: Path, options: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    steps, original = 0, TrainingBars.on_step

    def stopping(self, event) -> None:
        nonlocal steps
        steps += 1
        original(self, event)
        if steps == 3:  # in the middle of an epoch of two steps
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(TrainingBars, "on_step", stopping)
    out = tmp_path / "run"
    assert not main(options(out))
    assert json.loads((out / "run.json").read_text())["status"] == "stopped"
    monkeypatch.setattr(TrainingBars, "on_step", original)
    assert main(options(out, resume=True))
    assert Run(out).manifest["status"] == "finished"
    same_weights(out, whole_run)


def test_a_killed_run_is_gone_on_from(whole_run: Path, options: Make, tmp_path: Path):
    """A process that is killed at a random moment leaves what a resume needs."""
    given = options(tmp_path / "run")
    command = [sys.executable, "-m", "training.train", "--preset", "tiny", "--workers", "1"]
    command += ["--threads", "1", "--data", str(given.data), "--init", str(given.init)]
    command += ["--out", str(given.out)]
    wait_s = random.Random(0)
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    while not has_state(given.out):
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(wait_s.uniform(0, 4))
    process.kill()
    process.wait()
    done = subprocess.run([*command, "--resume"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    same_weights(given.out, whole_run)


@pytest.mark.parametrize(
    ("make", "resume", "words"),
    [
        (lambda p: p.write_text("x"), False, "is a file"),
        (lambda p: None, True, "does not exist: there is nothing to --resume"),
        (lambda p: p.mkdir(), True, "nothing to --resume"),
    ],
)
def test_an_impossible_place_is_refused(
    options: Make, tmp_path: Path, make: Callable, resume: bool, words: str
):
    make(tmp_path / "run")
    with pytest.raises(InputError, match=words):
        main(options(tmp_path / "run", resume=resume))


def test_a_place_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    command = [sys.executable, "training/train.py", "--data", str(tmp_path)]
    command += ["--out", str(tmp_path / "file" / "run")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1 and "Traceback" not in done.stderr
    with pytest.raises(NotADirectoryError):
        prepare_out(tmp_path / "file" / "run", resume=False)
