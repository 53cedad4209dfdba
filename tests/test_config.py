"""Configs: the report's own numbers, JSON and back, contradictions refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mtl_core.config import ModelConfig, RunConfig, StageConfig
from mtl_core.presets import PRESETS, preset, tiny
from mtl_core.types import InputError


def test_the_report_preset_is_the_source_reports_recipe():
    config = preset("report")
    assert config.model.levels == (3, 4)
    assert config.model.input_px == 512
    assert [s.task for s in config.stages] == ["seg", "det", "cls"]
    assert [s.epochs for s in config.stages] == [3, 3, 3]
    assert [s.lr for s in config.stages] == [1e-3, 5e-4, 5e-4]
    assert [s.temperature for s in config.stages] == [2.0, 3.0, 4.0]
    assert [s.distill for s in config.stages] == [{}, {"seg": 0.8}, {"seg": 0.75, "det": 0.75}]
    assert [s.distill_neck for s in config.stages] == [0.0] * 3  # the report distils logits alone
    assert [s.crop_px for s in config.stages] == [512] * 3
    assert config.method == "distill"


@pytest.mark.parametrize("name", list(PRESETS))
def test_json_gives_the_same_config_back(name: str):
    config = preset(name)
    assert config.preset == name
    assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


REFUSED = {
    "input is no multiple of 32": (lambda: ModelConfig(input_px=500), "model.input_px is 500"),
    "a level that is not there": (lambda: ModelConfig(levels=(3, 6)), "model.levels"),
    "without the finest level": (lambda: ModelConfig(levels=(4, 5)), "model.levels"),
    "an unknown task": (lambda: StageConfig("depth", 1, 1e-3), "stage.task is 'depth'"),
    "crop is no multiple of 32": (lambda: StageConfig("seg", 1, 1e-3, crop_px=100), "crop_px"),
    "a task distils itself": (
        lambda: StageConfig("seg", 1, 1e-3, distill={"seg": 1.0}),
        "distils itself",
    ),
    "a task trained twice": (lambda: replace(tiny(), stages=tiny().stages[:1] * 2), "at most once"),
    "no stages": (lambda: replace(tiny(), stages=()), "stages train"),
    "an unknown preset": (lambda: preset("huge"), "Preset 'huge' is unknown"),
    "an unknown field": (lambda: RunConfig.from_dict(tiny().to_dict() | {"x": 1}), "does not fit"),
    "a missing field": (lambda: RunConfig.from_dict({"preset": "x"}), "does not fit"),
}


@pytest.mark.parametrize(("make", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_contradictions_are_refused(make, words: str):
    with pytest.raises(InputError, match=words):
        make()
