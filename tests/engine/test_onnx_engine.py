"""The default engine answers as the reference does, and never loads PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from mtl_core.engine import NVIDIA_DEVICE, open_engine
from mtl_core.engine.onnx_engine import OnnxEngine
from mtl_core.engine.torch_engine import TorchEngine
from mtl_core.types import InputError, Prediction

ROOT = Path(__file__).resolve().parent.parent.parent


def assert_alike(found: Prediction, wanted: Prediction) -> None:
    assert (found.mask != wanted.mask).mean() < 1e-3
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=2e-3)
    # A pixel that the two resizes round differently moves a score a little; compare the sure ones.
    sure = float(np.median(wanted.boxes.scores))
    a, b = found.boxes.above(sure), wanted.boxes.above(sure)
    assert abs(len(a) - len(b)) <= 2 and len(b) > 5
    matched = 0
    for box, label in zip(b.xyxy, b.labels, strict=True):
        near = np.abs(a.xyxy - box).max(1) < 0.5
        matched += bool((near & (a.labels == label)).any())
    assert matched >= 0.95 * len(b)


@pytest.mark.parametrize("size", [(100, 140), (128, 96), (31, 140)])
def test_both_engines_agree(stages: list[Path], photo: np.ndarray, size: tuple[int, int]):
    image = photo[: size[0], : size[1]]
    if image.shape[:2] != size:
        image = np.pad(image, [(0, size[0] - image.shape[0]), (0, 0), (0, 0)], mode="edge")
        image = image[:, : size[1]]
    for path in (stages[0], stages[2]):
        found = OnnxEngine(path).predict(image, 0.01)
        wanted = TorchEngine(path).predict(image, 0.01)
        assert found.size_hw == wanted.size_hw == size
        assert_alike(found, wanted)
        assert {"prepare", "network", "decode"} == set(found.timings_ms)


def test_the_threshold_only_leaves_out(stages: list[Path], photo: np.ndarray):
    engine = OnnxEngine(stages[1])
    everything = engine.predict(photo, 0.0).boxes
    threshold = float(np.median(everything.scores))
    some = engine.predict(photo, threshold).boxes
    np.testing.assert_array_equal(some.scores, everything.above(threshold).scores)
    assert 0 < len(some) < len(everything)


def test_engines_of_one_run_hold_one_backbone(stages: list[Path]):
    first, second = OnnxEngine(stages[0]), OnnxEngine(stages[1])
    assert first.backbone is second.backbone and first.rest is not second.rest


def test_auto_is_onnxruntime_on_a_cpu(stages: list[Path]):
    if NVIDIA_DEVICE.exists():
        pytest.skip("this machine has a GPU")
    assert isinstance(open_engine(stages[0]), OnnxEngine)
    assert isinstance(open_engine(stages[0], "onnx"), OnnxEngine)
    assert isinstance(open_engine(stages[0], "torch"), TorchEngine)


def test_auto_falls_back_to_the_reference(stages: list[Path], monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise RuntimeError("off")

    monkeypatch.setattr("mtl_core.engine.onnx_engine.template_of", broken)
    monkeypatch.setattr("mtl_core.engine.NVIDIA_DEVICE", Path("no such device"))
    assert isinstance(open_engine(stages[0]), TorchEngine)
    with pytest.raises(RuntimeError):
        open_engine(stages[0], "onnx")


def test_bad_input_is_refused(stages: list[Path], tmp_path: Path):
    with pytest.raises(InputError, match="does not exist"):
        OnnxEngine(tmp_path / "none.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(stages[0].read_bytes()[:-100])
    with pytest.raises(InputError, match="not a readable safetensors file"):
        OnnxEngine(cut)
    with pytest.raises(InputError, match="expected uint8 H x W x 3"):
        OnnxEngine(stages[0]).predict(np.zeros((8, 8), np.uint8))


def test_weights_that_do_not_fit_or_are_not_finite_are_refused(stages: list[Path], tmp_path: Path):
    with safe_open(stages[0], "np") as file:
        metadata = {k: v for k, v in file.metadata().items() if not k.endswith("_sha256")}
        names = list(file.keys())
        state = {name: file.get_tensor(name) for name in names}
    OnnxEngine(stages[0])  # its architecture is known from here on
    name = "head.layer2.1.weight"
    for change, said in (
        ({name: state[name][:1]}, "do not fit its own header"),
        ({name: np.full_like(state[name], np.nan)}, "not finite"),
    ):
        path = tmp_path / "changed.safetensors"
        save_file(state | change, path, metadata)
        with pytest.raises(InputError, match=said):
            OnnxEngine(path)
    del state[name]
    save_file(state, path, metadata)
    with pytest.raises(InputError, match="do not fit its own header"):
        OnnxEngine(path)


def test_inner_maps_are_refused(stages: list[Path], photo: np.ndarray):
    with pytest.raises(InputError, match="no inner maps"):
        OnnxEngine(stages[0]).features(photo, ["neck"])


def test_no_torch_is_loaded_even_where_a_graph_is_made(stages: list[Path], tmp_path: Path):
    code = (
        "import sys, numpy as np\n"
        "from mtl_core.engine import open_engine\n"
        "from mtl_core.engine.stage_bank import StageBank\n"
        f"image = np.zeros((40, 50, 3), np.uint8)\n"
        f"open_engine({str(stages[2])!r}, 'onnx').predict(image)\n"
        f"StageBank([{str(stages[2])!r}]).predict_all(image)\n"
        "assert 'torch' not in sys.modules and 'onnx' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"ONEHEAD_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.iterdir())) == 1
