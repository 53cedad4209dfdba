"""A graph in the blocked layout computes the same, on one image of any size."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import pytest
import torch

from mtl_core.engine.network_file import load_network
from mtl_core.onnx_graphs.blocked_graph import block_width, blocked
from mtl_core.onnx_graphs.export import (
    BackboneHalf,
    Example,
    RestHalf,
    difference,
    export,
    export_halves,
    random_pixels,
)
from mtl_core.onnx_graphs.rewrites import cleaned

pytestmark = pytest.mark.skipif(
    block_width() == 0, reason="onnxruntime has no blocked layout on this processor"
)


def kinds(model: onnx.ModelProto) -> Counter:
    return Counter(node.op_type for node in model.graph.node)


@pytest.mark.parametrize("half", ["backbone", "rest"])
def test_it_computes_what_pytorch_does(stages: list[Path], half: str):
    network, info = load_network(stages[2])
    backbone, rest = BackboneHalf(network).eval(), RestHalf(network).eval()
    with torch.no_grad():
        example = random_pixels(2, (64, 96))
        maps = backbone(example)
        names = [f"map{i}" for i in range(len(maps))]
        if half == "backbone":
            graph = export(backbone, (example,), ["pixels"], names)
        else:
            graph = export(rest, maps, names, list(network.tasks))
    model = blocked(cleaned(graph))
    blocks = len(network.backbone.blocks)
    inside = info.model.frozen_blocks if half == "backbone" else blocks - info.model.frozen_blocks
    assert kinds(model)["GlobalAveragePool"] == inside
    if half == "backbone":
        # Only the two maps that go out leave the layout, and each squeeze's few channels.
        assert kinds(model)["ReorderOutput"] <= inside + 2
        assert kinds(model)["Add"] == kinds(model)["ReorderInput"] == 0
    for hw in ((64, 96), (32, 32), (160, 64)):
        pixels = random_pixels(1, hw)
        with torch.no_grad():
            maps = backbone(pixels)
            if half == "backbone":
                wanted = Example({"pixels": pixels}, maps)
            else:
                wanted = Example(dict(zip(names, maps, strict=True)), rest(*maps))
        assert difference(model.SerializeToString(), wanted) < 1e-4


def test_it_is_what_a_checkpoint_gets(stages: list[Path]):
    halves = export_halves(stages[0])
    for content in (halves.backbone, halves.rest):
        assert any("nchwc" in n.domain for n in onnx.load_from_string(content).graph.node)
    portable = export_halves(stages[0], one_image=False)
    for content in (portable.backbone, portable.rest):
        assert not any("nchwc" in n.domain for n in onnx.load_from_string(content).graph.node)


def test_a_graph_without_gains_is_refused():
    torch.manual_seed(0)
    module = torch.nn.Conv2d(16, 16, 3).eval()
    graph = export(module, (torch.randn(1, 16, 8, 8),), ["x"], ["y"])
    with pytest.raises(ValueError, match="nothing to bring into it"):
        blocked(cleaned(graph))
