"""Scores and times side by side, at several sizes and in both precisions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.figures.accuracy_time import accuracy_time_figure
from app.language import Words
from app.results.accuracy_rows import accuracy_rows
from mtl_core.runs.run_directory import Run
from mtl_core.tasks.data_roots import DataRoots
from mtl_core.types import InputError
from training.accuracy_and_time import Options, as_markdown, main
from training.publish import Options as PublishOptions
from training.publish import main as publish


def test_every_size_has_scores_and_a_time(whole_run: Path, rendered: DataRoots, tmp_path: Path):
    publish(PublishOptions((whole_run,), tmp_path, ("run",)))
    run = tmp_path / "run"
    data = rendered["seg"].parent
    main(Options(run, data, sizes=(96, 128), calibrate_n=4, rounds=2, threads=1))
    content = Run(run).accuracy_and_time()
    assert content is not None
    found = [(row["precision"], row["input_px"]) for row in content["rows"]]
    assert found == [(p, size) for p in ("float32", "int8") for size in (96, 128)]
    for row in content["rows"]:
        assert set(row["scores"]) == {"mIoU", "mAP", "mAP50", "top1"} and row["p50_ms"] > 0
    assert content["settings"]["n"] == {"seg": 6, "det": 6, "cls": 6}
    assert as_markdown(content).count("\n") == 5
    assert list(content["ratios"]) == [f"int8 / float32, {size} px" for size in (96, 128)]
    for size, found in zip((96, 128), content["ratios"].values(), strict=True):
        medians = {r["precision"]: r["p50_ms"] for r in content["rows"] if r["input_px"] == size}
        assert found["value"] == pytest.approx(medians["int8"] / medians["float32"], rel=0.01)
        assert found["low"] <= found["value"] <= found["high"]
    rows = accuracy_rows(content)
    assert len(rows) == 16 and len(accuracy_time_figure(rows, Words("en")).data) == 8


def test_sizes_that_no_network_takes_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="expected one or more multiples of 32"):
        Options(tmp_path, tmp_path, sizes=(100,))


def test_what_is_no_measurement_is_left_out():
    row = {"precision": "int8", "input_px": 96, "p50_ms": 3.0, "scores": {"top1": 0.5, "mAP": None}}
    broken = json.loads(json.dumps({"rows": [row, 3, {"scores": 7}, {**row, "p50_ms": None}]}))
    assert accuracy_rows(broken).to_dict("records") == [
        {"precision": "int8", "input_px": 96, "ms": 3.0, "metric": "top1", "value": 0.5}
    ]
    assert accuracy_rows(None).empty
