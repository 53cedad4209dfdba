"""Maps that runs share on disk: the same numbers, computed once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mtl_core.learning import feature_store as kept_maps
from mtl_core.learning.feature_store import FeatureStore
from mtl_core.learning.frozen_features import FrozenFeatures, frozen_key
from mtl_core.model.backbone import Backbone
from mtl_core.presets import tiny

ARCHITECTURES = ("efficientnet_b0", "tf_efficientnet_b0")


@pytest.fixture
def backbone() -> Backbone:
    torch.manual_seed(0)
    return Backbone(tiny().model)


def test_kept_maps_are_those_of_the_graph_bit_for_bit(backbone: Backbone, tmp_path: Path):
    pixels, cpu = torch.randn(3, 3, 64, 96), torch.device("cpu")
    plain = FrozenFeatures(backbone, cpu, 1)(pixels)
    sharing = FrozenFeatures(backbone, cpu, 1, tmp_path)
    first, files = sharing(pixels), set(tmp_path.rglob("*.safetensors"))
    assert len(files) == 3

    def refuse(*_: object) -> None:
        raise AssertionError("run again")

    assert sharing.graph is not None
    sharing.graph.session.run = refuse
    again = sharing(pixels)
    for a, b, c in zip(plain, first, again, strict=True):
        assert torch.equal(a, b) and torch.equal(b, c)
    with pytest.raises(AssertionError, match="run again"):
        sharing(pixels + 1)


def test_another_backbone_has_a_folder_of_its_own(backbone: Backbone):
    before = frozen_key(backbone)
    last = next(p for p in reversed(list(backbone.blocks[backbone.cut - 1].parameters())))
    with torch.no_grad():
        last.add_(1)
    changed = frozen_key(backbone)
    backbone.freeze_until(None)
    assert len({before, changed, frozen_key(backbone)}) == 3


def test_equal_weights_of_another_architecture_have_another_folder():
    # The two pad their strided convolutions differently, and give other maps.
    plain, same = (Backbone(replace(tiny().model, backbone=name)) for name in ARCHITECTURES)
    plain.load_state_dict(same.state_dict())
    pixels = torch.randn(1, 3, 64, 96)
    assert not torch.allclose(plain.frozen(pixels)[0], same.frozen(pixels)[0])
    assert frozen_key(plain) != frozen_key(same)


def test_nothing_is_kept_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    maps = FeatureStore(tmp_path / "maps")
    image = np.zeros((1, 3, 4, 4), np.float32)
    monkeypatch.setattr(kept_maps, "SPARE_BYTES", 2**62)
    maps.put(image, [image])
    assert maps.get(image) is None
    monkeypatch.setattr(kept_maps, "SPARE_BYTES", 0)
    maps.put(image, [image])
    found = maps.get(image)
    assert found is not None and np.array_equal(found[0], image)


def test_a_folder_that_is_removed_meanwhile_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def gone(*_: object) -> None:
        raise FileNotFoundError("the folder")

    maps, image = FeatureStore(tmp_path / "maps"), np.ones((1, 3, 4, 4), np.float32)
    monkeypatch.setattr(kept_maps, "save_file", gone)
    maps.put(image, [image])
    assert maps.get(image) is None


def test_a_damaged_file_is_computed_anew(tmp_path: Path):
    maps, image = FeatureStore(tmp_path), np.ones((1, 3, 4, 4), np.float32)
    maps.put(image, [image])
    maps.file(image).write_bytes(b"broken")
    assert maps.get(image) is None
