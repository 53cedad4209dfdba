"""A network as two ONNX graphs without weights: the frozen half of its backbone, and the rest.

All stages of a run share the frozen half. Both take any number of images of any H and W that are
multiples of 32.

``python -m mtl_core.onnx_graphs.export CHECKPOINT OUT [module:Task ...]`` writes them as a file.
"""

from __future__ import annotations

import copy
import io
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from mtl_core.engine.network_file import load_network
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.onnx_graphs.rewrites import weightless
from mtl_core.onnx_graphs.session import Graph
from mtl_core.onnx_graphs.template import (
    REFUSED,
    Half,
    Template,
    maker_versions,
    sources_sha256,
)
from mtl_core.onnx_graphs.weights import Weights
from mtl_core.tasks import TASKS
from mtl_core.types import InputError

TOLERANCE = 1e-3  # largest difference from PyTorch, relative to an output's largest value
TRACED_HW = (64, 96)  # nothing of it stays in the graphs
CHECKED_HW = ((96, 64), (32, 160))  # compared; other sizes and another batch than traced


class BackboneHalf(nn.Module):
    """N x H x W x 3 uint8 RGB -> the maps at the cut; normalisation included."""

    mean: Tensor
    per_std: Tensor

    def __init__(self, network: UnifiedVisionSystem) -> None:
        super().__init__()
        self.backbone = network.backbone
        mean, std = (
            torch.tensor(v).view(3, 1, 1) for v in (network.config.mean, network.config.std)
        )
        self.register_buffer("mean", mean * 255)
        self.register_buffer("per_std", 1 / (std * 255))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """As the class says; a backbone without a frozen half gives the normalised pixels."""
        values = (pixels.permute(0, 3, 1, 2).float() - self.mean) * self.per_std
        return tuple(self.backbone.frozen(values))


class RestHalf(nn.Module):
    """The maps at the cut -> every task's raw output, in the order of the network's tasks."""

    def __init__(self, network: UnifiedVisionSystem) -> None:
        super().__init__()
        self.network = network

    def forward(self, *maps: Tensor) -> tuple[Tensor, ...]:
        """As the class says."""
        return tuple(self.network(features=list(maps)).raw.values())


@dataclass(frozen=True)
class Example:
    """Inputs of a graph by name, and what PyTorch makes of them."""

    feed: dict[str, Tensor]
    wanted: Sequence[Tensor]


def weights_of(network: nn.Module) -> Weights:
    """A network's own weights, as ``Graph`` takes them."""
    state = network.state_dict()
    return {k: v.float().cpu().numpy() for k, v in state.items() if v.is_floating_point()}


@torch.no_grad()
def template_from(network: UnifiedVisionSystem) -> Template:
    """Export a network's architecture, and compare the graphs holding its weights with PyTorch.

    Args:
        network: in eval mode, on the CPU; it is not changed.

    Raises:
        RuntimeError: the graphs do not compute what PyTorch computes.
    """
    # The exporter merges equal tensors, and a graph must not keep anything of those it was traced
    # with: other weights are exported than are compared, and no two tensors of them are equal.
    other = copy.deepcopy(network)
    for value in other.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.5, 1.5)
    weights = weights_of(network)
    backbone, rest = BackboneHalf(other).eval(), RestHalf(other).eval()
    pixels = random_pixels(2, TRACED_HW)
    maps = backbone(pixels)
    map_names = [f"map{i}" for i in range(len(maps))]
    halves = (
        half_of(export(backbone, (pixels,), ["pixels"], map_names), weights),
        half_of(export(rest, maps, map_names, list(network.tasks)), weights),
    )
    backbone, rest = BackboneHalf(network).eval(), RestHalf(network).eval()
    examples: tuple[list[Example], list[Example]] = [], []
    for hw in CHECKED_HW:
        pixels = random_pixels(1, hw)
        maps = backbone(pixels)
        examples[0].append(Example({"pixels": pixels}, maps))
        examples[1].append(Example(dict(zip(map_names, maps, strict=True)), rest(*maps)))
    for half, wanted in zip(halves, examples, strict=True):
        verified(Graph(half.graph, 0, {name: weights[name] for name in half.shapes}), wanted)
    return Template(*halves, sources_sha256(network.tasks), maker_versions())


def half_of(graph: onnx.ModelProto, weights: Mapping[str, np.ndarray]) -> Half:
    """An exported graph without its weights, which are called as in the whole network."""
    names = {t.name: t.name.removeprefix("network.") for t in graph.graph.initializer}
    model = weightless(graph, {old: new for old, new in names.items() if new in weights})
    shapes = {t.name: list(t.dims) for t in model.graph.initializer if t.name in weights}
    return Half(model.SerializeToString(deterministic=True), shapes)


def random_pixels(n: int, hw: tuple[int, int]) -> Tensor:
    """N x H x W x 3 uint8, the same every time."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, *hw, 3), generator=generator, dtype=torch.uint8)


def export(
    module: nn.Module, example: tuple[Tensor, ...], inputs: list[str], outputs: list[str]
) -> onnx.ModelProto:
    """A module as ONNX with free batch, H and W, its weights named as in its state.

    PyTorch's older exporter is used: it takes under a second where the newer one takes ten, needs
    no further package, and what it does worse ``rewrites`` puts right.
    """
    spatial = {"pixels": {0: "n", 1: "h", 2: "w"}}
    axes = {name: spatial.get(name, {0: "n", 2: f"{name}_h", 3: f"{name}_w"}) for name in inputs}
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its age, and of sizes that are traced as tensors
        torch.onnx.export(
            module,
            example,
            file,  # type: ignore[arg-type]
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={**axes, **{name: {0: "n"} for name in outputs}},
            dynamo=False,
            # Both keep the exporter from computing new weights of several old ones.
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
        )
    return onnx.load_from_string(file.getvalue())


def verified(graph: Graph, examples: Sequence[Example]) -> Graph:
    """A graph that computes what PyTorch does.

    Raises:
        RuntimeError: it does not.
    """
    distance = max(difference(graph, example) for example in examples)
    # NaN compares false with everything: it must not pass as small.
    if not distance <= TOLERANCE:
        raise RuntimeError(f"The graph is off from PyTorch by {distance:.2g} of the largest value.")
    return graph


def difference(graph: Graph, example: Example) -> float:
    """Largest absolute difference per output, over the larger of 1e-6 and its largest value."""
    found = graph.session.run(None, {name: value.numpy() for name, value in example.feed.items()})
    distances = [
        float(np.abs(f - w.numpy()).max() / max(1e-6, float(w.abs().max())))
        for f, w in zip(found, example.wanted, strict=True)
    ]
    return float(np.max(distances))


def main(checkpoint: str, out: str, *places: str) -> None:
    """Write the template of a checkpoint's architecture; ``places`` are tasks to be registered."""
    try:
        for place in places:
            if place not in TASKS.places.values():
                TASKS.register(place)
        network, _ = load_network(Path(checkpoint))
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(REFUSED)
    Path(out).write_bytes(template_from(network).to_bytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
