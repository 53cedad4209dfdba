"""The reference engine: every task of an image of any size in one answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mtl_core.data.tensor_input import to_input
from mtl_core.engine import open_engine
from mtl_core.engine.network_file import load_network, save_checkpoint
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.types import InputError


@pytest.fixture
def eager_checkpoint(tiny_network: UnifiedVisionSystem, tmp_path: Path) -> Path:
    """A checkpoint of a network that sees objects everywhere, some of them more surely."""
    with torch.no_grad():
        tiny_network.head.output.biases["det"][4] = 0.0
        tiny_network.head.output.weights["det"].normal_()
    path = tmp_path / "stage2.safetensors"
    save_checkpoint(path, tiny_network, 2, ["seg", "det"])
    return path


@pytest.mark.parametrize("size", [(90, 120), (33, 200), (1, 1)])
def test_an_answer_fits_its_image(eager_checkpoint: Path, size: tuple[int, int]):
    engine = open_engine(eager_checkpoint, "torch")
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    found = engine.predict(image, score_threshold=0.0)
    assert found.size_hw == size and found.class_names == engine.info.class_names
    assert found.mask is not None and found.mask.shape == size and found.mask.max() < 4
    assert found.probabilities is not None
    assert found.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert found.boxes is not None
    h, w = size
    assert (found.boxes.xyxy >= 0).all() and (found.boxes.xyxy <= [w, h, w, h]).all()
    assert {"prepare", "network", "decode"} <= set(found.timings_ms)
    assert min(found.timings_ms.values()) >= 0


def test_the_threshold_only_leaves_out(eager_checkpoint: Path):
    engine = open_engine(eager_checkpoint, "torch")
    image = np.random.default_rng(1).integers(0, 256, (80, 80, 3)).astype(np.uint8)
    everything = engine.predict(image, 0.0).boxes
    assert everything is not None and len(everything)
    threshold = float(np.median(everything.scores))
    some = engine.predict(image, threshold).boxes
    assert some is not None and 0 < len(some) < len(everything)
    assert (np.diff(some.scores) <= 0).all()
    np.testing.assert_array_equal(some.scores, everything.above(threshold).scores)
    assert len(engine.predict(image, 1.1).boxes) == 0


def test_it_answers_as_the_network_does(tiny_checkpoint: Path):
    engine = open_engine(tiny_checkpoint, "torch")
    image = np.random.default_rng(2).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    pixels, _ = to_input(image, engine.info.model)
    with torch.no_grad():
        logits = engine.network(pixels).raw["cls"][0]
    np.testing.assert_allclose(engine.predict(image).probabilities, logits.softmax(0), atol=1e-5)


def test_a_network_in_memory_answers_as_its_checkpoint(stages: list[Path], photo: np.ndarray):
    network, info = load_network(stages[2])
    engine = open_engine(network)
    found, wanted = engine.predict(photo), open_engine(stages[2], "torch").predict(photo)
    assert engine.path is None and engine.info.class_names == info.class_names
    np.testing.assert_array_equal(found.mask, wanted.mask)
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=1e-5)
    with torch.no_grad():
        network.readouts["cls"].linear.bias[1] += 50
    assert engine.predict(photo).probabilities.argmax() == 1  # the weights of the moment
    with pytest.raises(InputError, match="expected a path"):
        open_engine(network, "onnx")


def test_inner_maps_have_names(stages: list[Path], photo: np.ndarray):
    engine = open_engine(stages[2], "torch")
    maps = engine.features(photo, ["neck", "p3", "p4", "p5", "head"])
    assert list(maps) == ["neck", "p3", "p4", "p5", "head"]
    pixels, _ = to_input(photo, engine.info.model)
    height, width = pixels.shape[-2:]
    for name, stride in (("p3", 8), ("p4", 16), ("p5", 32), ("neck", 8), ("head", 8)):
        assert maps[name].shape[1:] == (height // stride, width // stride)
    with torch.no_grad():
        outputs = engine.network(pixels)
        np.testing.assert_allclose(maps["neck"], outputs.fused[0], atol=1e-4)
        shared = torch.from_numpy(maps["head"])[None]
        head = engine.network.head
        slices = head.output(shared, head.awareness(shared.mean((2, 3))))
        raw = engine.network.readouts["seg"](slices["seg"], torch.from_numpy(maps["p5"])[None])
    np.testing.assert_allclose(raw, outputs.raw["seg"], atol=1e-3)
    with pytest.raises(InputError, match="'p6' is unknown: expected some of p3"):
        engine.features(photo, ["p6"])


def test_bad_input_is_refused(tiny_checkpoint: Path, tmp_path: Path):
    with pytest.raises(InputError, match="Engine 'abacus' is unknown"):
        open_engine(tiny_checkpoint, "abacus")
    with pytest.raises(InputError, match="does not exist"):
        open_engine(tmp_path / "none.safetensors", "torch")
    with pytest.raises(InputError, match="expected uint8 H x W x 3"):
        open_engine(tiny_checkpoint, "torch").predict(np.zeros((8, 8), np.uint8))
