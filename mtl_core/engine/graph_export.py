"""A checkpoint's network as two ONNX graphs: the frozen half of its trunk, and the rest.

All stages of a run share the frozen half, so it is one graph for all of them. Both take any batch
size and any H and W that are multiples of 32.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import Tensor, nn

from mtl_core.checkpoint import load_network
from mtl_core.engine.folded_neck import FoldedFusion
from mtl_core.engine.graph_surgery import faster
from mtl_core.model.network import UnifiedVisionSystem

LOG = logging.getLogger(__name__)
TOLERANCE = 1e-3  # largest difference from PyTorch, relative to an output's largest value
EXAMPLE_HW = (64, 96)  # traced; nothing of it stays in the graphs
CHECK_HW = (96, 64)  # compared; another size and batch than traced


class TrunkHalf(nn.Module):
    """N x H x W x 3 uint8 RGB -> the maps at the cut; normalisation included."""

    def __init__(self, network: UnifiedVisionSystem) -> None:
        super().__init__()
        self.backbone = network.backbone
        mean, std = (
            torch.tensor(v).view(3, 1, 1) for v in (network.config.mean, network.config.std)
        )
        self.register_buffer("mean", mean * 255)
        self.register_buffer("per_std", 1 / (std * 255))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """As the class says; a trunk without a frozen half gives the normalised pixels."""
        values = (pixels.permute(0, 3, 1, 2).float() - self.mean) * self.per_std
        return tuple(self.backbone.frozen(values))


class RestHalf(nn.Module):
    """The maps at the cut -> every task's raw output, in the order of the network's tasks."""

    def __init__(self, network: UnifiedVisionSystem) -> None:
        super().__init__()
        self.network = network

    def forward(self, *maps: Tensor) -> tuple[Tensor, ...]:
        """As the class says."""
        return tuple(self.network.rest(list(maps)).raw.values())


@dataclass(frozen=True)
class Halves:
    """Both graphs of a checkpoint, serialised, and how far they are from PyTorch.

    Attributes:
        trunk: input ``pixels``, outputs ``map0`` and so on.
        rest: inputs ``map0`` and so on, outputs named by task id.
        difference: largest absolute difference per output over that output's largest value.
    """

    trunk: bytes
    rest: bytes
    difference: float


def export_halves(checkpoint: Path) -> Halves:
    """Export a checkpoint and compare the graphs with PyTorch's output.

    Raises:
        InputError: the checkpoint is not usable.
        RuntimeError: the graphs do not compute what PyTorch computes.
    """
    network, _ = load_network(checkpoint)
    with torch.no_grad():
        trunk, rest = TrunkHalf(network).eval(), RestHalf(network).eval()
        pixels = random_pixels(1, CHECK_HW)
        wanted_maps = trunk(pixels)
        wanted = rest(*wanted_maps)
        network.neck = FoldedFusion(network.neck, network.config.levels)
        example = random_pixels(2, EXAMPLE_HW)
        maps = trunk(example)
        map_names = [f"map{i}" for i in range(len(maps))]
        trunk_graph = export(trunk, (example,), ["pixels"], map_names)
        rest_graph = export(rest, maps, map_names, list(network.tasks))
    trunk_bytes, first = checked(trunk_graph, {"pixels": pixels}, wanted_maps)
    feed = dict(zip(map_names, wanted_maps, strict=True))
    rest_bytes, second = checked(rest_graph, feed, wanted)
    return Halves(trunk_bytes, rest_bytes, max(first, second))


def random_pixels(n: int, hw: tuple[int, int]) -> Tensor:
    """N x H x W x 3 uint8, the same every time."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, *hw, 3), generator=generator, dtype=torch.uint8)


def export(
    module: nn.Module, example: tuple[Tensor, ...], inputs: list[str], outputs: list[str]
) -> onnx.ModelProto:
    """A module as ONNX with free batch, H and W.

    PyTorch's older exporter is used: it takes under a second where the newer one takes ten, needs
    no further package, and what it does worse ``graph_surgery`` puts right.
    """
    spatial = {"pixels": {0: "n", 1: "h", 2: "w"}}
    axes = {name: spatial.get(name, {0: "n", 2: f"{name}_h", 3: f"{name}_w"}) for name in inputs}
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its age, and of sizes that are traced as tensors
        torch.onnx.export(
            module,
            example,
            file,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={**axes, **{name: {0: "n"} for name in outputs}},
            dynamo=False,
        )
    return onnx.load_from_string(file.getvalue())


def checked(
    graph: onnx.ModelProto, feed: dict[str, Tensor], wanted: Sequence[Tensor]
) -> tuple[bytes, float]:
    """The graph after surgery if that holds, else as it was exported; and its difference.

    Raises:
        RuntimeError: neither gives what PyTorch gives.
    """
    try:
        operated = faster(onnx.ModelProto.FromString(graph.SerializeToString()))
        content = operated.SerializeToString()
        distance = difference(content, feed, wanted)
        if distance <= TOLERANCE:
            return content, distance
        reason = f"its output is off by {distance:.2g}"
    except Exception as error:  # onnx and onnxruntime raise all kinds
        reason = str(error)
    LOG.warning("A graph stays as exported, and slower: %s.", reason)
    content = graph.SerializeToString()
    distance = difference(content, feed, wanted)
    if distance > TOLERANCE:
        raise RuntimeError(
            f"The exported graph is off from PyTorch by {distance:.2g} of the largest value, "
            f"expected at most {TOLERANCE:g}."
        )
    return content, distance


def difference(content: bytes, feed: dict[str, Tensor], wanted: Sequence[Tensor]) -> float:
    """Largest absolute difference per output, over the larger of 1e-6 and its largest value."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    found = session.run(None, {name: value.numpy() for name, value in feed.items()})
    distances = [
        float(np.abs(f - w.numpy()).max() / max(1e-6, float(w.abs().max())))
        for f, w in zip(found, wanted, strict=True)
    ]
    # NaN compares false with everything: it must not pass as small.
    return max(distances) if np.isfinite(distances).all() else float("inf")
