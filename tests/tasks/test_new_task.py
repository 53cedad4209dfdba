"""A fourth task is one object: only the config's table of tasks knows of it besides."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import mtl_core.config as config
from mtl_core.config import ModelConfig, StageConfig
from mtl_core.data.letterbox import Placement
from mtl_core.data.splits import Split
from mtl_core.engine.network_file import load_network, save_checkpoint
from mtl_core.learning.evaluation import measure
from mtl_core.metrics.base import Meter, Score
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.retention import StageContext
from mtl_core.retention.distill import Distill
from mtl_core.tasks import TASKS, build_tasks
from mtl_core.tasks.base import Task
from mtl_core.types import Boxes, Prediction


class Pooled(nn.Module):
    """The mean of the slice."""

    def forward(self, part: Tensor, context: Tensor) -> Tensor:
        return part.mean((2, 3))


class BrightnessMeter(Meter):
    """One minus the mean error."""

    def __init__(self) -> None:
        self.errors: list[float] = []

    def add(self, prediction: Prediction, item: Any) -> None:
        assert prediction.boxes is not None
        self.errors.append(abs(float(prediction.boxes.scores[0]) - item))

    def score(self) -> Score:
        return Score({"nearness": 1 - float(np.mean(self.errors))}, {}, len(self.errors))


class Brightness(Task):
    """How bright is the image, told as the score of one box around all of it."""

    id = "bright"
    metrics = ("nearness",)

    @property
    def channels(self) -> int:
        return 1

    def build_readout(self, context_channels: int) -> nn.Module:
        return Pooled()

    @staticmethod
    def read(item: Any, split: Split) -> tuple[np.ndarray, float]:
        return np.asarray(Image.open(item.image).convert("RGB")), item.label

    @staticmethod
    def labels(truth: float, to_model: Tensor, size_hw: tuple[int, int]) -> dict[str, Any]:
        return {"level": truth}

    @staticmethod
    def target(view: dict[str, Any]) -> float:
        return view["level"]

    def collate(self, targets: list[float]) -> Tensor:
        return torch.tensor(targets)[:, None]

    def loss(self, raw: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {"bright": (raw.sigmoid() - targets).square().mean()}

    def distill(
        self, raw: Tensor, teacher_raw: Tensor, temperature: float, logits_only: bool = False
    ) -> Tensor:
        return (raw - teacher_raw).square().mean()

    def decode(self, raw: np.ndarray, box: Placement) -> dict[str, Any]:
        h, w = box.size_hw
        whole = np.array([[0, 0, w, h]], np.float32)
        return {"boxes": Boxes(whole, 1 / (1 + np.exp(-raw)), np.zeros(1, np.int64))}

    def meter(self, split: Any) -> Meter:
        return BrightnessMeter()


@pytest.fixture
def network(tiny_model: ModelConfig, monkeypatch: pytest.MonkeyPatch) -> UnifiedVisionSystem:
    """Segmentation, and the toy."""
    monkeypatch.setitem(TASKS, "bright", Brightness)
    monkeypatch.setattr(config, "TASK_IDS", (*config.TASK_IDS, "bright"))
    torch.manual_seed(0)
    names = {"seg": ["background", "a"], "bright": ["brightness"]}
    return UnifiedVisionSystem(tiny_model, build_tasks(names))


def flat_images(levels: list[float]) -> list[np.ndarray]:
    return [np.full((64, 64, 3), round(255 * level), np.uint8) for level in levels]


def test_it_is_learned_measured_and_stored(network: UnifiedVisionSystem, tmp_path: Path):
    levels = [0.1, 0.4, 0.6, 0.9]
    images = flat_images(levels)
    pixels = torch.stack([torch.from_numpy(p).permute(2, 0, 1) for p in images]) / 127.5 - 1
    task = network.tasks["bright"]
    targets = task.collate(levels)
    network.train()
    optimizer = torch.optim.Adam([*network.neck.parameters(), *network.head.parameters()], 1e-2)
    losses = []
    for _ in range(25):
        terms = task.loss(network(pixels).raw["bright"], targets)
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
        losses.append(terms["bright"].item())
    assert losses[-1] < 0.5 * losses[0]

    path = tmp_path / "stage2.safetensors"
    save_checkpoint(path, network, 2, ["seg", "bright"])
    loaded, info = load_network(path)
    assert list(info.class_names) == ["seg", "bright"]
    items = []
    for i, (image, level) in enumerate(zip(images, levels, strict=True)):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
        items.append(SimpleNamespace(image=tmp_path / f"{i}.png", label=level))
    split = Split("bright", ["brightness"], items, "val")
    score = measure(loaded, loaded.backbone.frozen, split)
    assert score.n == 4
    assert 0.5 < score.values["nearness"] <= 1


def test_its_own_distance_keeps_it(network: UnifiedVisionSystem):
    stage = StageConfig("seg", epochs=1, lr=1e-3, temperature=2.0, distill={"bright": 3.0})
    method = Distill()
    method.before_stage(StageContext(network, stage, ["bright"]))
    cut = network.eval().backbone.frozen(torch.randn(1, 3, 64, 64))
    outputs = network(features=cut)
    outputs.raw["bright"] = outputs.raw["bright"] + 2
    terms = method.loss(cut, outputs)
    assert {name: value.item() for name, value in terms.items()} == {
        "keep_bright": pytest.approx(12.0, rel=1e-4)
    }
