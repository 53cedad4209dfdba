"""The reference engine: every task of an image of any size in one answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mtl_core.data.tensor_input import to_input
from mtl_core.engine import open_engine
from mtl_core.engine.network_file import save_checkpoint
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


def test_bad_input_is_refused(tiny_checkpoint: Path, tmp_path: Path):
    with pytest.raises(InputError, match="Engine 'abacus' is unknown"):
        open_engine(tiny_checkpoint, "abacus")
    with pytest.raises(InputError, match="does not exist"):
        open_engine(tmp_path / "none.safetensors", "torch")
    with pytest.raises(InputError, match="expected uint8 H x W x 3"):
        open_engine(tiny_checkpoint, "torch").predict(np.zeros((8, 8), np.uint8))
