"""Checkpoints with something to say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mtl_core.config import ModelConfig
from mtl_core.engine.network_file import save_checkpoint
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.tasks import build_tasks

KINDS = ["disc", "box", "star"]


def expressive(config: ModelConfig, seed: int, backbone_seed: int = 0) -> UnifiedVisionSystem:
    """A network that sees objects everywhere and whose classes vary over the image."""
    names = {"seg": ["background", *KINDS], "det": KINDS, "cls": KINDS}
    torch.manual_seed(backbone_seed)
    network = UnifiedVisionSystem(config, build_tasks(names))
    torch.manual_seed(seed)
    with torch.no_grad():
        for block in network.backbone.blocks[config.frozen_blocks :]:
            for parameter in block.parameters():
                parameter.mul_(1 + 0.1 * torch.rand_like(parameter))
        for module in [*network.neck.modules(), *network.head.modules()]:
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
        network.neck.fusion.normal_()
        for weight in network.head.output.weights.values():
            weight.normal_()
        network.head.output.biases["det"][4] = -1.0
        readout = network.readouts["cls"].linear
        torch.nn.init.normal_(readout.weight, std=0.1)
        network.readouts["seg"].up.weight.mul_(1 + 0.2 * torch.rand(4, 1, 4, 4))
    return network


@pytest.fixture(scope="session")
def write_stage(
    tiny_model: ModelConfig, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Writes a checkpoint: ``write_stage(number, seed=..., backbone_seed=...)``."""

    def write(
        number: int, seed: int = 0, backbone_seed: int = 0, trained: int | None = None
    ) -> Path:
        path = tmp_path_factory.mktemp("stages") / f"stage{number}.safetensors"
        trained_tasks = ["seg", "det", "cls"][: trained or number]
        save_checkpoint(path, expressive(tiny_model, seed, backbone_seed), number, trained_tasks)
        return path

    return write


@pytest.fixture(scope="session")
def stages(write_stage: Callable[..., Path]) -> list[Path]:
    """Three stages of one run: the same frozen half, everything else differs."""
    return [write_stage(number, seed=number) for number in (1, 2, 3)]


@pytest.fixture
def photo() -> np.ndarray:
    """100 x 140 x 3: soft blobs, as noise alone would put an edge on every pixel."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (1, 3, 8, 11)).astype(np.float32))
    soft = torch.nn.functional.interpolate(coarse, (100, 140), mode="bicubic")
    return soft[0].permute(1, 2, 0).clamp(0, 255).byte().numpy()
