"""The benchmark's arithmetic, and one quick run of its own networks."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from mtl_core.learning.hardware import machine
from mtl_core.types import InputError
from training.benchmark import Options, main
from training.timing.alternating_times import alternate, ratio, summary
from training.timing.image_path import jpeg, read, scene
from training.timing.networks import USUAL_PX, Classes, specialist


def test_cases_take_turns_and_are_timed():
    order: list[str] = []

    def case(name: str, seconds: float):
        def run() -> None:
            order.append(name)
            time.sleep(seconds)

        return run

    ticks: list[int] = []
    cases = {"slow": case("slow", 0.02), "fast": case("fast", 0.0)}
    times = alternate(cases, rounds=4, warmup=1, tick=lambda: ticks.append(1))
    assert all(len(values) == 4 for values in times.values()) and len(ticks) == 5
    assert all(set(order[i : i + 2]) == {"slow", "fast"} for i in range(0, 10, 2))
    assert times["slow"].min() >= 19 and np.median(times["fast"]) < 19


def test_a_ratio_holds_its_value_within_its_interval():
    rng = np.random.default_rng(0)
    machine_noise = rng.uniform(1, 3, 60)
    found = ratio(20 * machine_noise, 10 * machine_noise)
    assert found.value == pytest.approx(2) and found.low == pytest.approx(2)  # same rounds, same
    loose = ratio(20 * rng.uniform(0.8, 1.2, 60), 10 * rng.uniform(0.8, 1.2, 60))
    assert loose.low < loose.value < loose.high and loose.low > 1.7 and loose.high < 2.3
    assert set(found.to_dict()) == {"value", "low", "high"}


def test_quantiles_are_named():
    assert summary(np.arange(101.0)) == {"p50_ms": 50.0, "p95_ms": 95.0}


def test_draft_decodes_a_smaller_image():
    content = jpeg(scene((240, 320)))
    assert read(content).shape == (240, 320, 3)
    assert read(content, 100).shape == (120, 160, 3)


@pytest.mark.parametrize("name", USUAL_PX)
def test_specialists_run(name: str):
    outputs = specialist(name, 64, Classes(3, 3, 3), threads=1)()
    assert all(np.isfinite(value.numpy()).all() for value in outputs)


def test_the_machine_is_described():
    measured = machine()
    assert (
        measured["processor"] and measured["cores"] >= 1 and "onnxruntime" in measured["versions"]
    )


def test_a_quick_run_writes_what_it_found(whole_run: Path, tmp_path: Path):
    out = tmp_path / "latency.json"
    only = ("engines", "bank", "growth", "way")
    main(Options(whole_run, out=out, rounds=2, threads=1, quick=True, only=only, profile=True))
    measured = json.loads(out.read_text())
    assert set(measured) == {"machine", "settings", "profile", "sha256", *only}
    assert measured["settings"]["threads"] == 1 and measured["settings"]["rounds"] == 2
    for name in only:
        for values in measured[name]["times"].values():
            assert 0 < values["p50_ms"] <= values["p95_ms"]
        for values in measured[name]["ratios"].values():
            assert 0 < values["low"] <= values["value"] <= values["high"]
    assert "whole network / bare backbone" in measured["engines"]["ratios"]
    assert "3 stages, side by side / one stage" in measured["bank"]["ratios"]
    assert {"backbone", "rest"} <= set(measured["profile"])
    assert "Conv" in measured["profile"]["backbone"]


def test_bad_options_are_told(whole_run: Path, tmp_path: Path):
    with pytest.raises(InputError, match="--only speed"):
        Options(whole_run, only=("speed",))
    with pytest.raises(InputError, match="--rounds is 1"):
        Options(whole_run, rounds=1)
    with pytest.raises(InputError):
        main(Options(tmp_path))
