"""A bank answers as its engines do one by one, and runs the shared backbone once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtl_core.engine.onnx_engine import OnnxEngine
from mtl_core.engine.prediction_cache import PredictionCache, image_sha256, size_bytes
from mtl_core.engine.stage_bank import StageBank
from mtl_core.types import InputError, Prediction
from tests.answers import prediction


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
@pytest.mark.parametrize("trained_only", [True, False])
def test_it_answers_as_single_engines(
    stages: list[Path], photo: np.ndarray, threads: int, trained_only: bool
):
    bank = StageBank(stages, threads=threads, trained_only=trained_only)
    assert bank.shared and bank.note == "3 checkpoint(s) share one frozen backbone."
    for path, stage, found in zip(stages, bank.stages, bank.predict_all(photo, 0.1), strict=True):
        trained = stage.info.trained if trained_only else ["seg", "det", "cls"]
        assert_same(found, OnnxEngine(path).predict(photo, 0.1), trained)
        assert {"rest", "decode"} <= set(found.timings_ms)


def test_the_backbone_runs_once_a_image(stages: list[Path], photo: np.ndarray):
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
    bank = StageBank([stages[0], stranger, stages[2]], trained_only=False)
    assert not bank.shared and len(bank.backbones) == 2
    assert "2 different frozen backbones" in bank.note and str(stranger) in bank.note
    assert bank.note in caplog.text
    for stage, found in zip(bank.stages, bank.predict_all(photo), strict=True):
        assert_same(found, OnnxEngine(stage.path).predict(photo), ["seg", "det", "cls"])


def test_answers_come_one_by_one_and_may_be_left(stages: list[Path], photo: np.ndarray):
    bank = StageBank(stages, threads=2)
    answers = bank.predict_each(photo)
    assert next(answers).mask is not None
    answers.close()
    assert len(list(bank.predict_each(photo))) == 3


def test_a_image_that_comes_again_is_remembered(stages: list[Path], photo: np.ndarray):
    bank = StageBank(stages)
    first = bank.predict_all(photo, 0.1)
    bank.backbones.clear()  # nothing can be computed any more
    second = bank.predict_all(photo.copy(), 0.5)
    assert all(set(p.timings_ms) == {"cached"} for p in second)
    assert second[1].boxes is not None and (second[1].boxes.scores >= 0.5).all()
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.mask, b.mask)
    with pytest.raises(ValueError, match="read-only"):
        second[0].mask[0, 0] = 1


def test_without_memory_nothing_is_remembered(stages: list[Path], photo: np.ndarray):
    bank = StageBank(stages[:1], cache_bytes=0)
    assert "backbone" in bank.predict_all(photo)[0].timings_ms
    assert "backbone" in bank.predict_all(photo)[0].timings_ms


def test_many_threads_get_their_own_answers(stages: list[Path], photo: np.ndarray):
    bank = StageBank(stages, cache_bytes=100_000)
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


def masked(value: int) -> Prediction:
    return prediction((50, 100), {}, mask=np.full((50, 100), value, np.uint8))


def test_the_cache_keeps_within_its_bound_and_drops_the_oldest():
    one = size_bytes(masked(0))
    assert one >= 5000
    cache = PredictionCache(2 * one)
    for name in "abc":
        cache.put((name, ""), masked(1))
        assert cache.held_bytes <= 2 * one
        if name == "b":
            assert cache.get(("a", "")) is not None  # used again, so b is the oldest
    assert cache.get(("b", "")) is None and cache.get(("a", "")) and cache.get(("c", ""))
    cache.put(("a", ""), masked(2))
    assert len(cache) == 2 and cache.held_bytes == 2 * one
    small = PredictionCache(100)
    small.put(("a", ""), masked(1))
    assert len(small) == 0


def test_the_hash_knows_shapes_and_types():
    flat = np.zeros((4, 6, 3), np.uint8)
    assert image_sha256(flat) != image_sha256(flat.reshape(6, 4, 3))
    assert image_sha256(flat[:, ::2]) == image_sha256(flat[:, ::2].copy())
