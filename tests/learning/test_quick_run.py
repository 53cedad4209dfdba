"""The training of a minute: its recipe in every order, its scenes, the one that is shown."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from mtl_core.data.synthetic.shapes import KIND_NAMES
from mtl_core.data.synthetic.shown_scene import RADII, shown_scene
from mtl_core.learning.quick_run import QuickRun, rendered
from mtl_core.learning.run_data import RunData
from mtl_core.presets import quick


@pytest.mark.parametrize("order", permutations(["seg", "det", "cls"]))
def test_every_order_of_the_tasks_distils_all_earlier_ones(order):
    config = quick(order)
    assert [stage.task for stage in config.stages] == list(order)
    assert [set(stage.distill) for stage in config.stages] == [
        set(order[:number]) for number in range(3)
    ]


def test_scenes_are_rendered_once(tmp_path: Path):
    counts = {"train": 5, "val": 5}
    scenes = rendered(tmp_path, counts)
    written = {path: path.stat().st_mtime_ns for path in scenes.rglob("*.*")}
    assert rendered(tmp_path, counts) == scenes
    assert {path: path.stat().st_mtime_ns for path in scenes.rglob("*.*")} == written
    assert list(tmp_path.iterdir()) == [scenes]
    assert len(RunData.read(["seg"], scenes).train["seg"].items) == 5


def test_choices_reach_the_run(tmp_path: Path):
    choice = QuickRun("ewc", ("cls", "seg", "det"), strength=2.5, seed=3, epochs=1)
    scenes = rendered(tmp_path, {"train": 5, "val": 5})
    config = choice.trainer(scenes, tmp_path / "run", workers=0).config
    assert (config.method, config.strength, config.seed) == ("ewc", 2.5, 3)
    assert [(stage.task, stage.epochs) for stage in config.stages] == [
        ("cls", 1),
        ("seg", 1),
        ("det", 1),
    ]


def test_the_shown_scene_is_always_the_same_and_holds_every_kind():
    assert np.array_equal(shown_scene(), shown_scene())
    assert shown_scene(192).shape == (144, 192, 3)
    assert len(RADII) == len(KIND_NAMES)
