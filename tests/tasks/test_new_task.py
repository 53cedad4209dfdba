"""A fourth task is one file, from its images to its verdict; and the document that says how."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtl_core.data.letterbox import Placement
from mtl_core.decoding import decode
from mtl_core.engine import open_engine
from mtl_core.runs.predictions import read_predictions
from mtl_core.runs.run_directory import Run
from mtl_core.tasks import TASKS
from mtl_core.tasks.data_roots import DataRoots
from mtl_core.types import InputError, Prediction, ScalarMap
from tests.tasks.depth_task import Depth, DepthMeter, render_depth
from training.train import Options, main

PLACE = "tests.tasks.depth_task"


@pytest.fixture(scope="module", autouse=True)
def registered() -> object:
    """The task is known here, and nowhere else afterwards."""
    infos, places = dict(TASKS.infos), dict(TASKS.places)
    TASKS.register(f"{PLACE}:Depth")
    yield
    TASKS.infos, TASKS.places = infos, places


@pytest.fixture(scope="module")
def run(rendered: DataRoots, backbone_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All four stages of the tiny preset."""
    data = tmp_path_factory.mktemp("four") / "data"
    shutil.copytree(rendered["seg"].parent, data)
    render_depth(data / Depth.info.folder, {"train": 16, "val": 6})
    options = Options(
        data=data,
        out=data.parent / "run",
        preset=f"{PLACE}:with_depth",
        task_classes=(f"{PLACE}:Depth",),
        init=str(backbone_file),
        workers=0,
        threads=1,
    )
    assert main(options)
    return Run(options.out)


def test_it_is_trained_recorded_and_judged(run: Run):
    assert [stage.task for stage in run.stages] == ["seg", "det", "cls", "depth"]
    last = run.records().query("stage == 4 and scope == 'stage'")
    assert set(last[last.task == "depth"].metric) == {"delta1", "rmse"}
    assert run.verdicts()["depth"]["metric"] == "delta1"
    assert run.manifest["tasks"]["depth"]["kind"] == "scalar_map"
    assert run.manifest["config"]["stages"][3]["distill"] == {"seg": 1, "det": 1, "cls": 1}


def test_its_answers_are_kept_and_given(run: Run, photo: np.ndarray):
    stored = read_predictions(run.path / "predictions", 4, "depth", run.class_names)
    assert len(stored) == 6
    assert all(isinstance(said.parts["depth"], ScalarMap) for said in stored.values())
    for kind in ("torch", "onnx"):
        said = open_engine(run.stages[3].weights, kind).predict(photo)
        part = said.parts["depth"]
        assert isinstance(part, ScalarMap) and part.values.shape == photo.shape[:2]
        assert part.values.min() >= 0 and part.values.max() <= 1
        assert set(said.parts) == {"seg", "det", "cls", "depth"}


def test_its_metric_knows_right_from_wrong():
    truth = np.array([[0.5, 1.0], [0.2, 0.8]], np.float32)
    for factor, delta1 in ((1.0, 1.0), (1.2, 1.0), (1.3, 0.0)):
        meter = DepthMeter()
        said = Prediction((2, 2), {"depth": ["depth"]}, {"depth": ScalarMap(truth * factor)})
        meter.add(said, truth)
        assert meter.score().values["delta1"] == delta1
        assert (meter.score().values["rmse"] == 0) == (factor == 1)


def test_a_coarse_map_is_read_at_the_images_pixels():
    box = Placement((40, 64), (40, 64), (64, 64))
    ramp = np.linspace(0, 1, 8, dtype=np.float32)[None, None].repeat(8, 1)
    part = decode("scalar_map", ramp, box)
    assert isinstance(part, ScalarMap) and part.values.shape == (40, 64)
    assert (np.diff(part.values, axis=1) >= 0).all() and part.values[0, 32] == pytest.approx(
        0.5, abs=0.05
    )


@pytest.mark.parametrize("place", ["nowhere.at.all:Task", f"{PLACE}:nothing", "tests.answers"])
def test_what_is_no_task_is_refused(place: str):
    with pytest.raises(InputError, match="cannot be imported"):
        TASKS.register(place)


def test_the_document_shows_this_very_file():
    root = Path(__file__).parents[2]
    code = (root / "tests/tasks/depth_task.py").read_text(encoding="utf-8")
    document = (root / "docs/add_a_task.md").read_text(encoding="utf-8")
    shown = document.split("```python\n")[1].split("```")[0]
    assert (
        shown
        == code[code.index("class DepthMeter") : code.index("def render_depth")].rstrip() + "\n"
    )


def test_the_document_names_options_that_exist() -> None:
    text = (Path(__file__).parents[2] / "docs/add_a_task.md").read_text(encoding="utf-8")
    fields: Callable = Options.__dataclass_fields__.keys
    for option in ("task_classes", "preset", "data", "out"):
        assert f"--{option.replace('_', '-')}" in text and option in fields()
