"""A threshold that goes from the command into the file, and from there into every answer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from mtl_core.engine.onnx_engine import OnnxEngine
from mtl_core.engine.stage_bank import StageBank
from mtl_core.engine.torch_engine import TorchEngine
from mtl_core.runs.checkpoint import read_header, read_weights, write_checkpoint
from mtl_core.tasks.data_roots import DataRoots
from mtl_core.types import Acceptance, InputError
from training.none_of_these import Options, main


def test_the_command_fits_measures_and_writes(
    whole_run: Path, rendered: DataRoots, tmp_path: Path, photo: np.ndarray
):
    run = tmp_path / "run"
    shutil.copytree(whole_run, run)
    options = Options(run, rendered["seg"].parent, split="train", dry_run=True)
    main(options)
    before = (run / "run.json").read_text()
    assert "none_of_these" not in before and read_header(run / "stage3.safetensors").accepts == {}
    options.dry_run = False
    main(options)
    found = json.loads((run / "run.json").read_text())["none_of_these"]["3"]
    assert set(found["rejected"]) == {"seg", "det", "cls"}
    assert found["scores"][found["chosen"]["score"]]["acceptance"] == found["chosen"]
    best = max(found["scores"].values(), key=lambda score: score["rejected"])
    assert best["acceptance"] == found["chosen"]
    accepts = read_header(run / "stage3.safetensors").accepts
    assert accepts == {"cls": Acceptance(**found["chosen"])}
    weights = load_file(run / "stage3.safetensors")
    whole = load_file(whole_run / "stage3.safetensors")
    assert all((weights[name] == whole[name]).all() for name in whole)


@pytest.mark.parametrize("score", ["max_softmax", "energy"])
def test_every_engine_says_none_of_these(stages: list[Path], photo, tmp_path: Path, score: str):
    for least, known in ((-100.0, True), (100.0, False)):
        path = tmp_path / f"stage3-{least}.safetensors"
        info = read_header(stages[2])
        info.accepts["cls"] = Acceptance(score, least)
        write_checkpoint(path, read_weights(stages[2]), info)
        for found in (
            OnnxEngine(path).predict(photo),
            TorchEngine(path).predict(photo),
            StageBank([path]).predict_all(photo)[0],
        ):
            assert found.parts["cls"].known is known
            assert found.none_of_these is not known
    assert OnnxEngine(stages[2]).predict(photo).parts["cls"].known is None


def test_a_score_of_another_name_is_refused():
    with pytest.raises(InputError, match="expected max_softmax or energy"):
        Acceptance("margin", 1.0)


def test_a_run_without_a_classifier_is_refused(whole_run: Path, tmp_path: Path):
    run = tmp_path / "run"
    shutil.copytree(whole_run, run)
    (run / "stage3.safetensors").unlink()
    with pytest.raises(InputError, match="has no classifier beside another task"):
        main(Options(run, tmp_path))
