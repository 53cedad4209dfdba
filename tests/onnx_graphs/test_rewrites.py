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
from mtl_core.onnx_graphs.export import BackboneHalf, Example, difference, export, random_pixels
from mtl_core.onnx_graphs.rewrites import cleaned, fold_constants, merge_pads, weightless
from mtl_core.onnx_graphs.session import Graph


def kinds(model: onnx.ModelProto) -> Counter:
    return Counter(node.op_type for node in model.graph.node)


def run(model: onnx.ModelProto, x: Tensor) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]


def test_the_backbone_has_no_pads(stages: list[Path]):
    network, _ = load_network(stages[0])
    backbone = BackboneHalf(network).eval()
    pixels = random_pixels(2, (64, 96))
    with torch.no_grad():
        maps = backbone(pixels)
        graph = export(backbone, (pixels,), ["pixels"], ["map0", "map1"])
    assert kinds(fold_constants(graph))["Pad"] > 0
    model = cleaned(graph)
    assert kinds(model)["Pad"] == 0 and kinds(model)["BatchNormalization"] == 0
    onnx.checker.check_model(model)
    ready = Graph(model.SerializeToString())
    assert difference(ready, Example({"pixels": pixels}, maps)) < 1e-5
    other = random_pixels(1, (128, 32))
    with torch.no_grad():
        wanted = Example({"pixels": other}, backbone(other))
    assert difference(ready, wanted) < 1e-5


def test_a_weightless_graph_holds_no_weight_and_names_each(stages: list[Path]):
    network, _ = load_network(stages[0])
    module = BackboneHalf(network).eval()
    graph = export(module, (random_pixels(2, (64, 96)),), ["pixels"], ["map0", "map1"])
    # The exporter merges equal tensors; those of this network all differ but the norms' fresh ones.
    names = {t.name: f"renamed.{t.name}" for t in graph.graph.initializer if "conv" in t.name}
    model = weightless(graph, names)
    absent = {t.name for t in model.graph.initializer if t.external_data}
    assert absent == set(names.values()) and names
    assert all(not t.raw_data for t in model.graph.initializer if t.name in absent)
    assert [value.name for value in model.graph.input] == ["pixels"]


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
