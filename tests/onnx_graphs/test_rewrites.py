"""Each rewrite keeps the result and leaves alone what it does not know."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from mtl_core.engine.network_file import load_network
from mtl_core.model.neck import DynamicFeatureFusion
from mtl_core.onnx_graphs.export import BackboneHalf, Example, difference, export, random_pixels
from mtl_core.onnx_graphs.folded_neck import FoldedFusion
from mtl_core.onnx_graphs.rewrites import faster, fold_constants, fold_gains, merge_pads


def kinds(model: onnx.ModelProto) -> Counter:
    return Counter(node.op_type for node in model.graph.node)


def run(model: onnx.ModelProto, x: Tensor) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]


def test_the_backbone_has_no_pads_and_its_gains_are_folded(stages: list[Path]):
    network, info = load_network(stages[0])
    backbone = BackboneHalf(network).eval()
    pixels = random_pixels(2, (64, 96))
    with torch.no_grad():
        maps = backbone(pixels)
        graph = export(backbone, (pixels,), ["pixels"], ["map0", "map1"])
    assert kinds(fold_constants(graph))["Pad"] > 0
    model = faster(graph)
    assert kinds(model)["Pad"] == 0 and kinds(model)["BatchNormalization"] == 0
    assert kinds(model)["MatMul"] == info.model.frozen_blocks
    onnx.checker.check_model(model)
    assert difference(model.SerializeToString(), Example({"pixels": pixels}, maps)) < 1e-5
    other = random_pixels(1, (128, 32))
    with torch.no_grad():
        wanted = Example({"pixels": other}, backbone(other))
    assert difference(model.SerializeToString(), wanted) < 1e-5


class Padded(nn.Module):
    """A pad before a convolution, of one kind or another."""

    def __init__(self, amounts: tuple[int, ...], value: float, mode: str = "constant") -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.amounts, self.value, self.mode = amounts, value, mode

    def forward(self, x: Tensor) -> Tensor:
        extra = {"value": self.value} if self.mode == "constant" else {}
        return self.conv(nn.functional.pad(x * 2, self.amounts, mode=self.mode, **extra))


@pytest.mark.parametrize(
    ("module", "left"),
    [
        (Padded((0, 1, 0, 1), 0.0), 0),
        (Padded((2, 1, 0, 3), 0.0), 0),
        (Padded((0, 1, 0, 1), 0.5), 1),  # not zeros
        (Padded((0, -1, 0, 1), 0.0), 1),  # a crop
        (Padded((1, 1, 1, 1), 0.0, "reflect"), 1),
    ],
)
def test_only_plain_pads_are_merged(module: Padded, left: int):
    torch.manual_seed(0)
    x = torch.randn(2, 4, 9, 12)
    model = fold_constants(export(module.eval(), (x,), ["x"], ["y"]))
    merge_pads(model)
    assert kinds(model)["Pad"] == left
    with torch.no_grad():
        np.testing.assert_allclose(run(model, x), module(x), atol=1e-5)


class Gained(nn.Module):
    """Squeeze and excitation, then a convolution that may or may not take the gains."""

    def __init__(self, kernel: int, bias: bool, stride: int = 1) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(6, 6, 1)
        self.project = nn.Conv2d(6, 4, kernel, stride, padding=kernel // 2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.silu(x)
        return self.project(x * self.squeeze(x.mean((2, 3), keepdim=True)).sigmoid())


@pytest.mark.parametrize(
    ("module", "folded"),
    [
        (Gained(1, bias=True), 1),
        (Gained(1, bias=False), 1),
        (Gained(3, bias=True), 0),
        (Gained(1, bias=True, stride=2), 0),
    ],
)
def test_only_projections_take_gains(module: Gained, folded: int):
    torch.manual_seed(0)
    x = torch.randn(2, 6, 8, 10)
    model = fold_constants(export(module.eval(), (x,), ["x"], ["y"]))
    fold_gains(model)
    assert kinds(model)["MatMul"] == folded
    onnx.checker.check_model(model)
    other = torch.randn(3, 6, 4, 6)
    with torch.no_grad():
        for value in (x, other):
            np.testing.assert_allclose(run(model, value), module(value), atol=1e-5)


@pytest.mark.parametrize("levels", [(3,), (3, 4), (3, 4, 5), (3, 5)])
def test_a_folded_neck_computes_the_same(levels: tuple[int, ...]):
    torch.manual_seed(0)
    channels = [4, 6, 8][: len(levels)]
    neck = DynamicFeatureFusion(channels, 16).eval()
    with torch.no_grad():
        neck.fusion.normal_()
        neck.norm.running_mean.normal_()
        neck.norm.running_var.uniform_(0.2, 2)
        neck.norm.weight.normal_()
        neck.norm.bias.normal_()
        maps = [
            torch.randn(2, c, 64 >> level, 96 >> level)
            for c, level in zip(channels, levels, strict=True)
        ]
        torch.testing.assert_close(FoldedFusion(neck, levels)(maps), neck(maps))
