"""Both engines score alike on real images: set ONEHEAD_DATA to the folder that holds mini."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mtl_core.engine.onnx_engine import OnnxEngine
from mtl_core.engine.torch_engine import TorchEngine
from mtl_core.tasks import TASKS
from mtl_core.tasks.data_roots import data_roots, read_split

ROOT = Path(os.environ.get("ONEHEAD_DATA", "")) / "mini"
LAST_STAGE = Path(__file__).resolve().parents[2] / "assets/runs/onehead/stage3.safetensors"


@pytest.mark.parametrize("task", ["seg", "det", "cls"])
def test_no_score_moves_by_more_than_a_thousandth(task: str):
    if "ONEHEAD_DATA" not in os.environ or not ROOT.is_dir():
        pytest.skip("ONEHEAD_DATA names no folder with the mini sample of real images")
    if not LAST_STAGE.is_file():
        pytest.skip("the shipped run has no last stage")
    split = read_split(data_roots(ROOT), task, "val")
    engines = [TorchEngine(LAST_STAGE), OnnxEngine(LAST_STAGE)]
    meters = [TASKS[task](e.info.class_names[task]).meter(split) for e in engines]
    for item in split.items:
        image, truth = TASKS[task].read(item, split)
        for engine, meter in zip(engines, meters, strict=True):
            meter.add(engine.predict(image, 0.0), truth)
    reference, found = (meter.score().values for meter in meters)
    print(task, reference, found)
    for metric, value in reference.items():
        assert found[metric] == pytest.approx(value, abs=1e-3), metric
