"""A checkpoint scored from the shell, on its own split and on anyone's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mtl_core.learning.evaluation import measure
from mtl_core.metrics.base import Score
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.tasks.data_roots import DataRoots, data_roots
from mtl_core.types import InputError
from training.evaluate import Options, evaluate, main

METRICS = ["mIoU", "mAP", "mAP50", "top1"]


def test_the_json_holds_every_metric(whole_run: Path, rendered: DataRoots, tmp_path: Path):
    out = tmp_path / "scores.json"
    main(Options(whole_run / "stage3.safetensors", rendered["seg"].parent, json=out))
    scores = json.loads(out.read_text())
    assert all(0 <= scores[metric] <= 1 for metric in METRICS)
    assert set(scores["per_class"]) == {"mIoU", "mAP", "top1"}
    assert scores["n"] == {"seg": 6, "det": 6, "cls": 6}
    assert (scores["split"], scores["stage"]) == ("val", 3)


def test_it_repeats_what_training_recorded(whole_run: Path, rendered: DataRoots):
    found = evaluate(
        Options(whole_run / "stage1.safetensors", rendered["seg"].parent, tasks=("seg",))
    )
    rows = [json.loads(r) for r in (whole_run / "records.jsonl").read_text().splitlines()]
    recorded = next(r["value"] for r in rows if r["stage"] == 1 and r["scope"] == "stage")
    # The file is of half precision.
    assert found["mIoU"] == pytest.approx(recorded, abs=0.01)
    assert set(found["n"]) == {"seg"} and "mAP" not in found


def test_another_split_and_sets_elsewhere(whole_run: Path, rendered: DataRoots, tmp_path: Path):
    shutil.copytree(rendered["seg"].parent, tmp_path / "data")
    roots = data_roots(tmp_path / "data")
    for root in (roots["seg"], roots["det"], roots["cls"]):
        (root / "val").rename(root / "unseen")
    annotations = roots["det"] / "annotations"
    (annotations / "instances_val.json").rename(annotations / "instances_unseen.json")
    roots["cls"].rename(tmp_path / "flowers")
    weights = whole_run / "stage3.safetensors"
    moved = evaluate(
        Options(weights, tmp_path / "data", split="unseen", sets={"cls": tmp_path / "flowers"})
    )
    usual = evaluate(Options(weights, rendered["seg"].parent))
    assert {m: moved[m] for m in METRICS} == {m: usual[m] for m in METRICS}
    assert moved["split"] == "unseen"


def test_another_input_size_is_tried_without_touching_the_file(
    whole_run: Path, rendered: DataRoots, monkeypatch: pytest.MonkeyPatch
):
    weights, seen = whole_run / "stage3.safetensors", []
    content = weights.read_bytes()

    def measured(network: UnifiedVisionSystem, *arguments: Any) -> Score:
        seen.append(network.config.input_px)
        return measure(network, *arguments)

    monkeypatch.setattr("training.evaluate.measure", measured)
    found = [
        evaluate(Options(weights, rendered["seg"].parent, tasks=("seg",), input_px=px))["input_px"]
        for px in (None, 96)
    ]
    assert found == seen == [128, 96]
    assert weights.read_bytes() == content


def test_unknown_tasks_and_classes_are_told(whole_run: Path, rendered: DataRoots, tmp_path: Path):
    weights = whole_run / "stage3.safetensors"
    with pytest.raises(InputError, match="--tasks depth"):
        evaluate(Options(weights, rendered["seg"].parent, tasks=("depth",)))
    shutil.copytree(rendered["seg"], tmp_path / "mini_voc_seg")
    names = tmp_path / "mini_voc_seg" / "classes.txt"
    names.write_text(names.read_text().replace("background", "backdrop"))
    with pytest.raises(InputError, match="'backdrop' is unknown to this network"):
        evaluate(Options(weights, tmp_path, tasks=("seg",)))
