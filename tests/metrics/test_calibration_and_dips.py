"""Calibration, and the dip inside a stage."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from mtl_core.metrics.calibration import calibration
from mtl_core.metrics.stability_gap import dips


def test_honest_probabilities_have_no_error_and_boasts_have_it():
    rng = np.random.default_rng(0)
    stated = rng.uniform(0, 1, 40_000)
    assert calibration(stated, rng.random(40_000) < stated).error < 0.01
    boast = calibration(np.full(1000, 0.95), np.arange(1000) % 2 == 0)
    assert boast.error == pytest.approx(0.45)
    assert boast.count.tolist() == [0] * 9 + [1000] and math.isnan(boast.right[0])


def test_an_answer_of_one_is_in_the_last_bin_and_none_is_undefined():
    assert calibration(np.array([1.0]), np.array([True])).error == 0
    assert math.isnan(calibration(np.zeros(0), np.zeros(0, bool)).error)


def subset(stage: int, step: int, task: str, value: float) -> dict:
    metric = {"seg": "mIoU", "det": "mAP"}[task]
    row = {"stage": stage, "step": step, "task": task, "metric": metric, "scope": "subset"}
    return row | {"value": value, "epoch": 0, "n": 4}


def test_a_dip_is_the_lowest_value_after_the_start():
    rows = [subset(1, 10, "seg", 0.3), subset(2, 0, "seg", 0.6), subset(2, 10, "seg", 0.2)]
    rows += [subset(2, 20, "seg", 0.4), subset(2, 30, "seg", 0.58), subset(2, 10, "det", 0.1)]
    rows += [subset(3, 0, "seg", 0.5), subset(3, 10, "seg", 0.4), subset(3, 20, "seg", 0.41)]
    rows += [subset(3, 0, "det", 0.2), subset(3, 10, "det", 0.3)]
    found = dips(pd.DataFrame(rows), {"seg": "mIoU", "det": "mAP"})
    assert [(d.stage, d.task) for d in found] == [(2, "seg"), (3, "det"), (3, "seg")]
    assert [(d.before, d.lowest) for d in found] == [(0.6, 0.2), (0.2, 0.3), (0.5, 0.4)]
