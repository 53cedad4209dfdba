"""A bank answers as its engines do one by one, and runs the shared backbone once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtl_core.engine.onnx_engine import OnnxEngine
from mtl_core.engine.stage_bank import StageBank
from mtl_core.types import InputError, Prediction


def assert_same(found: Prediction, wanted: Prediction, trained: list[str]) -> None:
    """Up to the order of sums, which depends on the number of threads."""
    assert (found.mask is not None) == ("seg" in trained)
    assert (found.boxes is not None) == ("det" in trained)
    assert (found.probabilities is not None) == ("cls" in trained)
    if found.mask is not None:
        assert (found.mask != wanted.mask).mean() < 1e-3
    if found.boxes is not None:
        assert len(found.boxes) == len(wanted.boxes)
        np.testing.assert_allclose(found.boxes.scores, wanted.boxes.scores, atol=1e-4)
    if found.probabilities is not None:
        np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=1e-4)


@pytest.mark.parametrize("threads", [1, 2, 4])  # one after another; two beside, one after; few
def test_it_answers_as_single_engines(stages: list[Path], photo: np.ndarray, threads: int):
    bank = StageBank(stages, threads=threads)
    assert bank.shared and bank.note == "3 checkpoint(s) share one frozen backbone."
    for path, stage, found in zip(stages, bank.stages, bank.predict_all(photo, 0.1), strict=True):
        assert_same(found, OnnxEngine(path).predict(photo, 0.1), stage.info.trained)
        assert {"rest", "decode"} <= set(found.timings_ms)


def test_the_backbone_runs_once_an_image(stages: list[Path], photo: np.ndarray):
    bank = StageBank(stages)
    runs: list[int] = []
    plain = bank.backbones[0]

    def counted(values: list) -> list:
        runs.append(1)
        return plain(values)

    bank.backbones[0] = counted  # type: ignore[call-overload]
    found = bank.predict_all(photo)
    assert len(runs) == 1
    paid = ["backbone" in p.timings_ms and "prepare" in p.timings_ms for p in found]
    assert paid == [True, False, False]
    bank.predict_all(photo[:, ::-1])
    assert len(runs) == 2


def test_other_frozen_weights_run_as_whole_networks(
    stages: list[Path],
    write_stage: Callable[..., Path],
    photo: np.ndarray,
    caplog: pytest.LogCaptureFixture,
):
    stranger = write_stage(2, seed=1, backbone_seed=5)
    bank = StageBank([stages[0], stranger, stages[2]])
    assert not bank.shared and len(bank.backbones) == 2
    assert "2 different frozen backbones" in bank.note and str(stranger) in bank.note
    assert bank.note in caplog.text
    for stage, found in zip(bank.stages, bank.predict_all(photo), strict=True):
        assert_same(found, OnnxEngine(stage.path).predict(photo), stage.info.trained)


def test_many_threads_get_their_own_answers(stages: list[Path], photo: np.ndarray):
    bank = StageBank(stages)
    images = [np.roll(photo, 17 * i, 1) for i in range(4)]
    wanted = [bank.predict_all(p)[0].mask for p in images]
    wrong: list[int] = []

    def ask(number: int) -> None:
        for turn in range(3):
            i = (number + turn) % len(images)
            if (bank.predict_all(images[i])[0].mask != wanted[i]).mean() > 1e-3:
                wrong.append(i)

    askers = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert wrong == []


def test_an_empty_bank_and_a_bad_image_are_refused(stages: list[Path]):
    with pytest.raises(InputError, match="at least one checkpoint"):
        StageBank([])
    with pytest.raises(InputError, match="expected uint8 H x W x 3"):
        StageBank(stages[:1]).predict_all(np.zeros((4, 4), np.uint8))
