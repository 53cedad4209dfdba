"""A scale that goes from the command into the headers, as often as it is given."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from mtl_core.runs.checkpoint import read_header
from mtl_core.tasks.data_roots import DataRoots
from mtl_core.types import UNSCALED, InputError
from tests.runs.rewritten_checkpoints import reweighed
from training.calibrate import Options, main


def test_a_second_calibration_says_what_the_first_did(
    whole_run: Path, rendered: DataRoots, tmp_path: Path
):
    run = tmp_path / "run"
    shutil.copytree(whole_run, run)
    reweighed(lambda state: state["head.output.biases.det"][4].fill_(3))(run / "stage3.safetensors")
    before = {path: load_file(path) for path in run.glob("*.safetensors")}
    options = Options(run, rendered["det"].parent, split="train")
    found = []
    for _ in range(2):
        main(options)
        found.append(json.loads((run / "run.json").read_text())["score_scale"]["det"])
    assert found[0] == found[1] and found[0]["n"] == 16
    assert tuple(found[0]["scale"]) != UNSCALED
    for number in (1, 2, 3):
        path = run / f"stage{number}.safetensors"
        scales = {"det": tuple(found[0]["scale"])} if number > 1 else {}
        assert read_header(path).score_scales == scales
        weights = load_file(path)
        assert all((weights[name] == value).all() for name, value in before[path].items())


def test_a_borrowed_stage_is_not_changed_under_its_owner(
    whole_run: Path, rendered: DataRoots, tmp_path: Path
):
    for name in ("lender", "borrower"):
        shutil.copytree(whole_run, tmp_path / name, ignore=shutil.ignore_patterns("state"))
    (tmp_path / "borrower" / "stage2.safetensors").unlink()
    manifest = json.loads((whole_run / "run.json").read_text())
    manifest["stage_files"] = {"2": "lender/stage2.safetensors"}
    del manifest["sha256"]
    (tmp_path / "borrower" / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="borrows stage 2: calibrate its owner"):
        main(Options(tmp_path / "borrower", rendered["det"].parent, split="train"))
