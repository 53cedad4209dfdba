"""A run with a fourth task, a map of numbers, is seen on the page like any other."""

import json
from dataclasses import replace

import numpy as np
import pytest
from stand_in import ORDER, StandInEngine, make_run

from app.page import build_page, launch_options
from app.palette import RAMP, rgb
from app.services.engines import EngineShelf
from app.services.runs import RunShelf
from app.site import Site
from mtl_core.runs.run_directory import Run
from mtl_core.types import ScalarMap


class DepthEngine(StandInEngine):
    def __init__(self, weights):
        super().__init__(weights)
        self.info.trained = [*ORDER, "depth"][: self.info.stage]

    def predict(self, image, score_threshold=0.05):
        said = super().predict(image, score_threshold)
        rows = np.linspace(1, 5, image.shape[0], dtype=np.float32)
        depth = ScalarMap(np.repeat(rows[:, None], image.shape[1], axis=1))
        return replace(said, parts=said.parts | {"depth": depth})


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = make_run(tmp_path_factory.mktemp("runs"), "deep").path
    manifest = json.loads((path / "run.json").read_text())
    manifest["config"]["stages"].append({"task": "depth", "epochs": 4})
    manifest["class_names"]["depth"] = []
    (path / "run.json").write_text(json.dumps(manifest))
    (path / "stage4.safetensors").touch()
    row = {"stage": 4, "task": "depth", "metric": "delta1", "value": 0.87, "n": 60}
    with (path / "records.jsonl").open("a") as file:
        file.write("\n" + json.dumps(row | {"scope": "stage", "step": 40, "epoch": 4}))
    demo = build_page(Site(RunShelf([Run(path)]), EngineShelf(DepthEngine)))
    demo.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    yield demo.local_url
    demo.close()


def test_a_map_of_numbers_is_drawn_and_its_score_shown(visit):
    visitor = visit("?stage=4")
    page = visitor.page
    assert "depth" in page.inner_text(".ov-scalars") and "1.00 – 5.00" in page.inner_text(
        ".ov-scalars"
    )
    before = visitor.pixel(0.02, 0.02)
    page.uncheck(".ov-show-label_map")
    page.check(".ov-show-scalar_map")
    visitor.slide(".ov-opacity", 1)
    for y, color in ((0.005, RAMP[0]), (0.995, RAMP[-1])):
        assert np.abs(np.array(visitor.pixel(0.02, y)) - rgb(color)).max() < 12
    assert before != visitor.pixel(0.02, 0.02)
    page.locator(".ov-stop").first.click()
    visitor.wait_stage(1)
    assert "not trained yet" in page.inner_text(".ov-scalars")
    visitor.tab("Forgetting")
    visitor.wait_drawn("matrix")
    cells = "".join(page.locator("#matrix svg text").all_text_contents())
    assert "0.870" in cells and "delta1" in cells
