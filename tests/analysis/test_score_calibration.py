"""Scores that mean a probability: the fit finds a known scale, which changes nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtl_core.analysis import score_calibration
from mtl_core.analysis.score_calibration import best_threshold, fit
from mtl_core.data.letterbox import Placement
from mtl_core.data.splits import DetItem, Split
from mtl_core.decoding.score_scale import scaled, unscaled
from mtl_core.engine.network_file import save_checkpoint
from mtl_core.engine.onnx_engine import OnnxEngine
from mtl_core.engine.torch_engine import TorchEngine
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.types import UNSCALED, Prediction


@pytest.mark.parametrize("kind", ["torch", "onnx"])
def test_a_scale_changes_what_scores_say_and_nothing_else(
    tiny_network: UnifiedVisionSystem, photo: np.ndarray, tmp_path: Path, kind: str
):
    found = []
    with torch.no_grad():
        tiny_network.head.output.biases["det"][4] = 2  # an untrained network finds nothing else
    for scale in (UNSCALED, (1.7, 2.4)):
        tiny_network.tasks["det"].score_scale = scale
        path = tmp_path / f"{scale[0]}.safetensors"
        save_checkpoint(path, tiny_network, 3, list(tiny_network.tasks))
        engine = {"torch": TorchEngine, "onnx": OnnxEngine}[kind](path)
        found.append(engine.predict(photo, 0.0))
    plain, after = (prediction.boxes for prediction in found)
    assert len(plain) > 3 and np.array_equal(plain.xyxy, after.xyxy)
    logit = np.log(plain.scores / (1 - plain.scores))
    assert np.allclose(after.scores, 1 / (1 + np.exp(-1.7 * logit - 2.4)), rtol=1e-4)
    least = float(after.scores[len(after) // 2])
    assert len(engine.predict(photo, least).boxes) == (after.scores >= least).sum()


@given(st.floats(0.05, 0.95), st.floats(0.5, 5), st.floats(-2, 2))
def test_a_threshold_is_taken_back(score: float, slope: float, shift: float):
    back = unscaled(score, (slope, shift))
    again = scaled(np.array([back]), (slope, shift))[0]
    assert score * (1 - 1e-2) <= again <= score


def test_the_best_threshold_has_the_largest_f1():
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.2, 0.1])
    hits = np.array([1, 1, 0, 1, 0, 0], bool)
    assert best_threshold(scores, hits, objects=4) == 0.6
    assert best_threshold(scores, hits, objects=2) == 0.8


def test_scores_that_are_far_too_low_are_raised(
    tiny_network: UnifiedVisionSystem, monkeypatch: pytest.MonkeyPatch
):
    """Boxes that say 0.3 and hit in four of five images are to say 0.8."""
    box = Placement(*[(64, 64)] * 3)
    raw = np.full((8, 8, 8), -20, np.float32)
    raw[4] = -1e4
    raw[:4, 4, 4] = np.log(2)  # sixteen pixels to each side of the cell's middle
    raw[4, 4, 4], raw[5, 4, 4] = -0.85, 20
    objects = np.array([[20, 20, 52, 52]], np.float32)

    def answer(network, task: str, number: int, split: Split) -> tuple:
        n = int(number % 5 > 0)
        crowd, labels = np.zeros(n, bool), np.zeros(n, np.int64)
        truth = DetItem(Path("a.jpg"), number, 64, 64, objects[:n], labels, crowd)
        part = network.tasks[task].decode(raw, box)
        return Prediction(box.size_hw, {task: split.class_names}, {task: part}), truth

    monkeypatch.setattr(score_calibration, "_answer", answer)
    split = Split(tiny_network.tasks["det"].class_names, list(range(40)), "tune", task="det")
    found = fit(tiny_network, "det", split)
    slope, shift = found.scale
    assert 1 / (1 + np.exp(0.85 * slope - shift)) == pytest.approx(0.8, abs=0.02)
    assert found.error_before == pytest.approx(0.5, abs=0.01) and found.error_after < 0.02
    tiny_network.tasks["det"].score_scale = found.scale
    assert fit(tiny_network, "det", split) == found  # not a scale on top of another
