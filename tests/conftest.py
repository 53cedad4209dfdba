"""What many rooms need: a small rendered set, a tiny network of random weights, its checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from mtl_core.config import ModelConfig
from mtl_core.engine.network_file import save_checkpoint
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.presets import tiny
from mtl_core.tasks import build_tasks
from mtl_core.tasks.data_roots import DataRoots
from mtl_core.tasks.rendered_sets import render_dataset

KINDS = ["disc", "box", "star"]
pytest_plugins = ["tests.stage_files"]


@pytest.fixture(autouse=True, scope="session")
def graph_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Graphs that tests make are shared among them and kept from the user's own."""
    folder = tmp_path_factory.mktemp("graphs")
    patch = pytest.MonkeyPatch()
    patch.setenv("ONEHEAD_CACHE", str(folder))
    yield folder
    patch.undo()


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> DataRoots:
    """Sixteen training and six validation images a task, 96 px; not to be changed."""
    return render_dataset(tmp_path_factory.mktemp("rendered"), {"train": 16, "val": 6}, 96, seed=1)


@pytest.fixture(scope="session")
def tiny_model() -> ModelConfig:
    """The narrow network's shape."""
    return tiny().model


@pytest.fixture
def tiny_network(tiny_model: ModelConfig) -> UnifiedVisionSystem:
    """All three tasks with three classes each (and a background); the same weights every time."""
    torch.manual_seed(0)
    names = {"seg": ["background", *KINDS], "det": KINDS, "cls": KINDS}
    return UnifiedVisionSystem(tiny_model, build_tasks(names))


@pytest.fixture
def tiny_checkpoint(tiny_network: UnifiedVisionSystem, tmp_path: Path) -> Path:
    """A checkpoint file of the tiny network, as after its second stage."""
    path = tmp_path / "stage2.safetensors"
    save_checkpoint(path, tiny_network, 2, ["seg", "det"])
    return path


@pytest.fixture(scope="session")
def backbone_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random backbone weights under timm's names."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "backbone.safetensors"
    state = timm.create_model("tf_efficientnet_b0", pretrained=False).state_dict()
    save_file(state, path, {"input_mean": "0.5,0.5,0.5", "origin": "random"})
    return path
