"""Scores that mean a probability: the fit finds a known scale; folding changes nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mtl_core.analysis import score_calibration
from mtl_core.analysis.score_calibration import ScoreScale, apply, best_threshold, fit
from mtl_core.data.letterbox import Placement
from mtl_core.data.splits import DetItem, Split
from mtl_core.data.tensor_input import to_input
from mtl_core.model.network import UnifiedVisionSystem


def test_folding_scales_the_objectness_alone(tiny_network: UnifiedVisionSystem, photo: np.ndarray):
    tiny_network.eval()
    pixels, _ = to_input(photo, tiny_network.config)
    with torch.no_grad():
        before = {task: raw.clone() for task, raw in tiny_network(pixels).raw.items()}
        apply(tiny_network, "det", ScoreScale(1.7, -0.4, 0, 0, 0))
        after = tiny_network(pixels).raw
    wanted = before["det"].clone()
    wanted[:, 4] = 1.7 * wanted[:, 4] - 0.4
    assert torch.allclose(after["det"], wanted, atol=1e-4)
    assert all(torch.equal(after[task], before[task]) for task in ("seg", "cls"))


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

    def seen(network, task: str, number: int, split: Split) -> tuple:
        n = int(number % 5 > 0)
        crowd, labels = np.zeros(n, bool), np.zeros(n, np.int64)
        return raw, box, DetItem(Path("a.jpg"), number, 64, 64, objects[:n], labels, crowd)

    monkeypatch.setattr(score_calibration, "_raw", seen)
    split = Split(tiny_network.tasks["det"].class_names, list(range(40)), "tune", task="det")
    scale = fit(tiny_network, "det", split)
    stated = 1 / (1 + np.exp(0.85 * scale.slope - scale.shift))
    assert stated == pytest.approx(0.8, abs=0.02)
    assert scale.error_before == pytest.approx(0.5, abs=0.01) and scale.error_after < 0.02
