"""What the library offers at its top: a run, a prediction, and nothing heavy before that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mtl_core as onehead
from mtl_core.runs.sealed_json import write_json

PIXELS = np.full((40, 56, 3), 90, np.uint8)


@pytest.fixture
def run_folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A run of two stages, of which the second one's checkpoint is there."""
    names = {"seg": ["background", "cat"], "det": ["cat"], "cls": ["cat"]}
    stages = [{"task": "seg"}, {"task": "det"}]
    folder = tmp_path / "mine"
    write_json(folder / "run.json", {"config": {"stages": stages}, "class_names": names})
    (folder / "stage2.safetensors").write_bytes(tiny_checkpoint.read_bytes())
    return folder


def test_importing_it_loads_no_network_library():
    heavy = "{'torch', 'onnxruntime', 'pandas', 'huggingface_hub', 'gradio'}"
    code = f"import sys, mtl_core; assert not {heavy} & set(sys.modules), sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_run_its_directory_and_its_checkpoint_answer_alike(run_folder: Path, tmp_path: Path):
    Image.fromarray(PIXELS).save(tmp_path / "photo.png")
    run = onehead.open_run(run_folder)
    found = onehead.predict(run, PIXELS, score_threshold=0.0)
    assert isinstance(found, onehead.Prediction) and found.size_hw == (40, 56)
    assert found.mask is not None and found.mask.shape == (40, 56)
    for network, image, stage in (
        (run_folder, tmp_path / "photo.png", -1),
        (str(run_folder), str(tmp_path / "photo.png"), 2),
        (run_folder / "stage2.safetensors", Image.fromarray(PIXELS), -1),
    ):
        other = onehead.predict(network, image, stage, score_threshold=0.0)
        assert (other.mask == found.mask).all() and other.size_hw == found.size_hw


@pytest.mark.parametrize(
    ("image", "stage", "told"),
    [
        (np.zeros((0, 0, 3), np.uint8), -1, r"\(0, 0, 3\), expected uint8 H x W x 3"),
        (np.zeros((4, 4, 3), np.float32), -1, "float32"),
        ([], -1, "expected uint8 H x W x 3"),
        ("nowhere.png", -1, "nowhere.png"),
        (PIXELS, 1, "no checkpoint of stage 1: expected one of 2"),
        (PIXELS, -2, "stage -2"),
    ],
)
def test_what_cannot_be_answered_is_refused(run_folder: Path, image, stage: int, told: str):
    with pytest.raises(onehead.InputError, match=told):
        onehead.predict(run_folder, image, stage)


@pytest.mark.parametrize("place", ["nowhere", "stage9.safetensors"])
def test_what_is_no_network_is_refused(tmp_path: Path, place: str):
    with pytest.raises(onehead.InputError, match=place):
        onehead.predict(tmp_path / place, PIXELS)
