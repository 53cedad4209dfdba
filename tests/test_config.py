"""Configs: the report's own numbers, JSON and back, contradictions refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mtl_core.config import ModelConfig, RunConfig, StageConfig
from mtl_core.overrides import from_arguments, from_toml, shown, with_changes
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
    "an unknown earlier task": (
        lambda: with_changes(tiny(), {"stages.det.distill": {"sge": 5}}),
        "stages.det.distill names 'sge', expected earlier tasks: seg",
    ),
    "no batch": (lambda: StageConfig("seg", 1, 1e-3, batch=0), "stages.seg.batch is 0, expected"),
    "a negative rate": (lambda: StageConfig("seg", 1, -1), "stages.seg.lr is -1, expected a num"),
    "a rate that is no number": (lambda: StageConfig("seg", 1, float("nan")), "lr is nan, expec"),
    "text for a number": (lambda: StageConfig("seg", "2", 1e-3), "epochs is '2', expected a whol"),
    "a share above one": (lambda: StageConfig("seg", 1, 1e-3, mosaic=2), "mosaic is 2, expected"),
    "a scale that falls": (lambda: StageConfig("seg", 1, 1e-3, scale=(2, 1)), "ascending"),
    "another kind of head": (lambda: ModelConfig(head_kind="wide"), "expected one of separable"),
    "a field that is none": (lambda: with_changes(tiny(), {"stages.det.rate": 1}), "no field"),
    "a stage that is none": (lambda: with_changes(tiny(), {"stages.depth.lr": 1}), "no field"),
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


def test_every_field_can_be_set_from_a_shell():
    line = "--stages.det.lr 1e-4 --model.levels 3 4 --stages.cls.distill.seg=2 --seed 7"
    config = with_changes(tiny(), from_arguments(f"{line} --stages.seg.lr-backbone 0".split()))
    assert config.stages[1].lr == 1e-4 and config.model.levels == (3, 4) and config.seed == 7
    assert config.stages[2].distill == {"seg": 2, "det": 1.0} and config.stages[0].lr_backbone == 0


def test_old_names_are_read_for_a_version():
    config = with_changes(tiny(), {"stages.det.lr_trunk": 0.5, "probe_every": 3})
    assert config.stages[1].lr_backbone == 0.5 and config.subset_every == 3


@pytest.mark.parametrize("name", list(PRESETS))
def test_what_is_shown_is_read_again(name: str, tmp_path: Path):
    path = tmp_path / "recipe.toml"
    path.write_text(shown(preset(name)), encoding="utf-8")
    assert with_changes(preset(name), from_toml(path)) == preset(name)


@pytest.mark.parametrize("words", [["--seed"], ["seed", "1"], ["--seed", "--preset"]])
def test_words_that_are_no_options_are_refused(words: list[str]):
    with pytest.raises(InputError, match=r"no value|belongs to no option"):
        from_arguments(words)


@pytest.mark.parametrize(("method", "epochs", "lr"), [("joint", 2, 0.5), ("distill", 1, 1)])
def test_factors_of_joint_that_a_config_had_are_in_its_stages(method: str, epochs: int, lr: float):
    recipe = tiny()
    old = recipe.to_dict() | {"method": method, "joint_epochs": 2.0, "joint_lr": 0.5}
    stages = RunConfig.from_dict(old).stages
    assert [s.epochs for s in stages] == [epochs * s.epochs for s in recipe.stages]
    assert [s.lr for s in stages] == [lr * s.lr for s in recipe.stages]
