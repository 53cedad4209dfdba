"""Trainings that visitors start: a real tiny one in its process, who waits, and who leaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.services.teaching import Choice, TeachingQueue
from mtl_core.runs.run_directory import Run

PATIENCE_S = 600.0
ORDER = ("cls", "seg", "det")


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.1)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[TeachingQueue]:
    found = TeachingQueue({"train": 16, "val": 5}, epochs=1, cache=tmp_path)
    yield found
    found.close()


def test_a_training_says_what_happens_and_leaves_an_ordinary_run(queue: TeachingQueue):
    queue.warm()
    spare = queue._spare
    training = queue.start("ann", Choice("distill", 1.0, ORDER))
    assert queue._process is spare  # the process that was ready is the one that trains
    other = queue.start("bob", Choice("finetune", 1.0, ORDER))
    assert other.status == "waiting"
    assert (queue.place("ann"), queue.place("bob")) == (0, 1)
    queue.stop("bob")
    assert other.status == "stopped" and queue.place("bob") == 0
    wait(lambda: training.over)
    assert training.status == "finished", training.message
    assert training.steps == [1, 1, 1]
    assert [(s["stage"], s["task"]) for s in training.scores if s["scope"] == "stage"] == [
        (stage, task) for stage in (1, 2, 3) for task in ORDER[:stage]
    ]
    assert len(training.scenes) == 3 and "class" in training.scenes[0]
    run = Run(training.out)
    assert [stage.task for stage in run.stages] == list(ORDER)
    assert run.manifest["status"] == "finished"
    assert set(run.verdicts()) == set(ORDER) and run.is_judged
    assert not (run.path / "state").exists()

    second = queue.start("ann", Choice("finetune", 1.0, ORDER))
    assert queue.before("ann") is training and queue.latest("ann") is second
    process = queue._process
    assert process is not None
    third = queue.start("bob", Choice("ewc", 1.0, ORDER))
    removed: list[Path] = []
    queue.removed = removed.append
    queue.leave("ann")
    assert set(removed) == {training.out, second.out}
    assert process.poll() is not None  # gone with its visitor, and the next one's turn has come
    assert not run.path.exists() and queue.latest("ann") is None
    assert third.status == "starting" and queue._process is not process


def test_stop_ends_a_training_after_its_present_step(queue: TeachingQueue):
    queue.settings["epochs"] = 500
    training = queue.start("ann", Choice("finetune", 1.0, ORDER))
    wait(lambda: training.scene is not None or training.over)
    queue.stop("ann")
    wait(lambda: training.over)
    assert training.status == "stopped" and not training.can_be_opened
    wait(lambda: queue._process is None)


def test_a_choice_out_of_range_is_a_sentence_not_a_silence(queue: TeachingQueue):
    training = queue.start("ann", Choice("finetune", -1.0, ORDER))
    wait(lambda: training.over)
    assert training.status == "failed" and "strength is -1.0" in training.message
    wait(lambda: queue._process is None)
