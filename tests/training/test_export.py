"""Exported files answer like the engine, and the page beside them tells the truth."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import pytest
from PIL import Image

from mtl_core.data.image_io import read_image
from mtl_core.decoding.probabilities import ACCEPTANCE_SCORES
from mtl_core.engine.onnx_engine import OnnxEngine
from mtl_core.engine.torch_engine import TorchEngine
from mtl_core.runs.checkpoint import change_header
from mtl_core.tasks.data_roots import DataRoots, read_split
from mtl_core.types import Acceptance, AcceptanceScore, InputError
from training.export import Options, export
from training.onnx_export.decoded_graph import INPUT, decoded_graph
from training.onnx_export.exported_model import ExportedModel
from training.onnx_export.quantise import Calibration, in_turn, sturdy_nodes


@pytest.fixture(scope="module")
def exported(
    whole_run: Path, rendered: DataRoots, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Float files of all stages, and the last one in int8 as well."""
    out = tmp_path_factory.mktemp("exported")
    export(Options(whole_run, out=out))
    export(
        Options(
            whole_run,
            out=out,
            stages=(3,),
            int8=True,
            data=rendered["seg"].parent,
            calibrate_n=5,
        )
    )
    return out


@pytest.fixture(scope="module")
def image(rendered: DataRoots) -> np.ndarray:
    return read_image(sorted((rendered["det"] / "val").glob("*.jpg"))[0])


def test_a_file_answers_like_the_reference(whole_run: Path, exported: Path, image: np.ndarray):
    for number in (1, 2, 3):
        found = ExportedModel(exported / f"stage{number}.onnx").predict(image, 0.0)
        wanted = TorchEngine(whole_run / f"stage{number}.safetensors").predict(image, 0.0)
        assert found.mask is not None and wanted.mask is not None
        # The mask is decoded at the input's size, then enlarged: its edges are coarser.
        assert (found.mask == wanted.mask).mean() > 0.97
        assert (found.boxes is None) == (number < 2)
        assert (found.probabilities is None) == (number < 3)
        if found.boxes is not None:
            assert abs(len(found.boxes) - len(wanted.boxes)) <= 3
            n = min(len(found.boxes), len(wanted.boxes), 10)
            np.testing.assert_allclose(found.boxes.scores[:n], wanted.boxes.scores[:n], atol=2e-3)
        if found.probabilities is not None:
            np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=5e-3)


@pytest.mark.parametrize("size", [(1, 1), (300, 40), (33, 200)])
def test_any_size_will_do(exported: Path, size: tuple[int, int]):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    found = ExportedModel(exported / "stage3.onnx").predict(image, 0.0)
    assert found.mask is not None and found.mask.shape == size
    assert found.boxes is not None and (found.boxes.xyxy <= [*size[::-1], *size[::-1]]).all()


def test_the_file_tells_its_contract(whole_run: Path, exported: Path):
    model = onnx.load(exported / "stage2.onnx")
    onnx.checker.check_model(model, full_check=True)
    about = {p.key: p.value for p in model.metadata_props}
    assert about["input"] == INPUT and about["stage"] == "2"
    assert set(json.loads(about["class_names"])) == {"seg", "det"}
    assert list(json.loads(about["outputs"])) == [o.name for o in model.graph.output]
    assert {"input_px", "max_enlarge", "pad_value", "accepts", "checkpoint_sha256"} <= set(about)


def snippet_says(folder: Path, image: np.ndarray) -> str:
    """What the page's snippet prints of an image."""
    page = (folder / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL).group(1)
    Image.fromarray(image).save(folder / "photo.jpg", format="PNG")  # the same pixels
    ending = (
        "\nimport sys\nassert 'torch' not in sys.modules\nassert mask.shape == (height, width)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + ending],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_pages_snippet_runs_without_torch(exported: Path, image: np.ndarray):
    said = snippet_says(exported, image)
    assert "in the image:" in said and "the image shows:" in said


@pytest.mark.parametrize("score", get_args(AcceptanceScore))
def test_an_image_of_none_of_the_classes_is_told(
    whole_run: Path, image: np.ndarray, tmp_path: Path, score: AcceptanceScore
):
    shutil.copytree(whole_run, tmp_path / "run")
    checkpoint = tmp_path / "run" / "stage3.safetensors"
    said = ACCEPTANCE_SCORES[score](OnnxEngine(checkpoint).raw(image)[0]["cls"])
    for least, known in ((said - 0.01, True), (said + 0.01, False)):
        change_header(checkpoint, accepts={"cls": Acceptance(score, least)})
        out = export(Options(tmp_path / "run", out=tmp_path / "out", stages=(3,)))
        found = ExportedModel(out / "stage3.onnx").predict(image)
        assert found.parts["cls"].known is known and found.none_of_these is not known
        assert ("none of the classes" in snippet_says(out, image)) is not known


def test_int8_comes_with_its_loss(exported: Path, image: np.ndarray):
    content = json.loads((exported / "stage3.int8.json").read_text())
    metrics = {"mIoU", "mAP", "mAP50", "top1"}
    assert set(content["float"]) == set(content["int8"]) == set(content["loss"]) == metrics
    for metric in metrics:
        assert content["loss"][metric] == pytest.approx(
            content["float"][metric] - content["int8"][metric]
        )
    assert content["calibrated_on"] == {"split": "train", "images": 5}
    page = (exported / "README.md").read_text()
    assert "`stage3.int8.onnx`" in page and f"{content['int8']['mIoU']:.4f}" in page
    small, large = (exported / f"stage3{s}.onnx" for s in (".int8", ""))
    assert small.stat().st_size < 0.9 * large.stat().st_size
    model = onnx.load(small)
    assert {p.key for p in model.metadata_props} == {p.key for p in onnx.load(large).metadata_props}
    found, wanted = (ExportedModel(file).predict(image, 0.0) for file in (small, large))
    assert (found.mask == wanted.mask).mean() > 0.5


def test_fragile_parts_stay_in_float(whole_run: Path):
    model = decoded_graph(whole_run / "stage3.safetensors")
    chosen = set(sturdy_nodes(model))
    assert len(chosen) > 12 and any("blocks.15/conv_pwl" in name for name in chosen)
    for word in ("stem", "conv_dw", "conv_pw/", "/se/", "/neck/", "readouts"):
        assert not [name for name in chosen if word in name], word


def test_calibration_takes_the_sets_in_turn(rendered: DataRoots, tiny_model):
    splits = [read_split(rendered, task, "train") for task in ("seg", "det", "cls")]
    files = list(in_turn(splits))
    assert len(files) == len(set(files)) == sum(len(split) for split in splits)
    calibration = Calibration(splits, 3, tiny_model)
    fed = [calibration.get_next() for _ in range(4)]
    assert fed[3] is None and all(f["pixels"].dtype == np.uint8 for f in fed[:3])
    folders = [next(p for p in path.parts if p.startswith(("mini", "image"))) for path in files[:3]]
    assert len(set(folders)) == 3


def test_bad_input_is_told(whole_run: Path, tmp_path: Path):
    with pytest.raises(InputError, match="--int8 needs --data"):
        Options(whole_run, int8=True)
    with pytest.raises(InputError, match="--stages 7"):
        export(Options(whole_run, out=tmp_path, stages=(7,)))
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(InputError, match=r"junk\.onnx is not a file that"):
        ExportedModel(tmp_path / "junk.onnx")
