"""The whole network: shapes, size, independence of the batch, export."""

from __future__ import annotations

import io

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from mtl_core.config import ModelConfig
from mtl_core.model.head import UnifiedOutputLayer
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.presets import PRESETS, preset
from mtl_core.tasks import build_tasks
from mtl_core.types import InputError

REAL_COUNTS = {"seg": 21, "det": 10, "cls": 10}


class Flat(nn.Module):
    """The network with a tuple for its result, as an exported graph has."""

    def __init__(self, network: UnifiedVisionSystem) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        outputs = self.network(x)
        return outputs.fused, *outputs.raw.values()


def named(counts: dict[str, int]) -> dict[str, list[str]]:
    return {task: [f"{task}{i}" for i in range(n)] for task, n in counts.items()}


@pytest.mark.parametrize("name", list(PRESETS))
def test_fewer_than_eight_million_parameters(name: str):
    network = UnifiedVisionSystem(preset(name).model, build_tasks(named(REAL_COUNTS)))
    counts = network.parameter_counts()
    assert sum(counts.values()) == sum(p.numel() for p in network.parameters()) < 8_000_000
    frozen = preset(name).model.frozen_blocks
    if frozen == 8:
        assert 0.25e6 < counts["backbone_frozen"] < 0.35e6  # stages 1 to 4
    elif frozen == 4:
        assert 0.03e6 < counts["backbone_frozen"] < 0.04e6
    else:  # a recipe whose backbone rests as a whole
        assert counts["backbone_trainable"] == 0


@pytest.mark.parametrize("size", [(32, 32), (64, 96)])
def test_outputs_have_the_shapes_of_the_tables(tiny_network: UnifiedVisionSystem, size: tuple):
    h, w = size
    with torch.no_grad():
        outputs = tiny_network.eval()(torch.randn(2, 3, h, w))
    assert outputs.fused.shape == (2, tiny_network.config.neck_channels, h // 8, w // 8)
    assert {task: tuple(raw.shape) for task, raw in outputs.raw.items()} == {
        "seg": (2, 4, h // 4, w // 4),
        "det": (2, 4 + 1 + 3, h // 8, w // 8),
        "cls": (2, 3),
    }


@pytest.mark.parametrize(
    ("tasks", "levels", "kind"),
    [
        (["seg"], (3, 4, 5), "separable"),  # a single-task reference
        (["cls", "det"], (3,), "separable"),  # another order, one level
        (["det", "seg", "cls"], (3, 4), "dense"),  # the source report's levels
    ],
)
def test_tasks_levels_and_kinds_can_be_chosen(tasks: list, levels: tuple, kind: str):
    config = ModelConfig(neck_channels=16, head_channels=16, levels=levels, head_kind=kind)
    network = UnifiedVisionSystem(config, build_tasks(named(dict.fromkeys(tasks, 2)))).eval()
    with torch.no_grad():
        assert list(network(torch.randn(1, 3, 32, 32)).raw) == tasks


def test_an_image_does_not_see_its_batch(tiny_network: UnifiedVisionSystem):
    x = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        together = tiny_network.eval()(x).raw
        alone = [tiny_network(x[i : i + 1]).raw for i in range(3)]
    for task, raw in together.items():
        for i in range(3):
            torch.testing.assert_close(raw[i], alone[i][task][0], atol=1e-4, rtol=1e-4)


def test_gains_scale_the_shared_map_per_task():
    torch.manual_seed(0)
    layer = UnifiedOutputLayer(8, {"a": 3, "b": 2})
    shared = torch.randn(2, 8, 4, 5)
    gains = {task: torch.rand(2, 8) * 2 for task in ("a", "b")}
    found = layer(shared, gains)
    for task, gain in gains.items():
        scaled = shared * gain[:, :, None, None]
        weight = layer.weights[task][:, :, None, None]
        expected = nn.functional.conv2d(scaled, weight, layer.biases[task])
        torch.testing.assert_close(found[task], expected)


def test_the_exported_graph_equals_eager(tiny_network: UnifiedVisionSystem):
    # Class evidence starts at zero in the readout; random weights make it part of the test.
    with torch.no_grad():
        for p in tiny_network.head.output.parameters():
            p.normal_()
        tiny_network.readouts["cls"].linear.weight.normal_()
    module = Flat(tiny_network).eval()
    outputs = ["fused", *tiny_network.tasks]
    axes = {0: "n", 2: "h", 3: "w"}
    dynamic = {name: axes for name in ["pixels", "fused", "seg", "det"]} | {"cls": {0: "n"}}
    graph = io.BytesIO()
    torch.onnx.export(
        module,
        (torch.randn(2, 3, 64, 96),),
        graph,
        input_names=["pixels"],
        output_names=outputs,
        dynamic_axes=dynamic,
        dynamo=False,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph.getvalue(), options)
    for shape in [(1, 3, 64, 64), (2, 3, 96, 128)]:
        x = torch.randn(shape)
        with torch.no_grad():
            expected = module(x)
        for a, b in zip(session.run(None, {"pixels": x.numpy()}), expected, strict=True):
            np.testing.assert_allclose(a, b.numpy(), atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("efficientnet_of_mine", "expected a name of timm.list_models"),
        ("convnext_atto", "with maps at strides 8, 16 and 32"),
        ("dla34", r"at strides \[4, 8, 16\]: expected 8, 16 and 32"),
    ],
)
def test_a_backbone_with_other_strides_is_refused(name: str, words: str):
    with pytest.raises(InputError, match=words):
        UnifiedVisionSystem(
            ModelConfig(backbone=name, frozen_blocks=0), build_tasks({"cls": ["a"]})
        )
