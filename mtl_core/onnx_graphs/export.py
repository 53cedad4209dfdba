"""A checkpoint's network as two ONNX graphs: the frozen half of its backbone, and the rest.

All stages of a run share the frozen half, so it is one graph for all of them. Both take any H and W
that are multiples of 32.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import Tensor, nn

from mtl_core.engine.network_file import load_network
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.onnx_graphs.blocked_graph import blocked
from mtl_core.onnx_graphs.folded_neck import FoldedFusion
from mtl_core.onnx_graphs.rewrites import cleaned, faster

LOG = logging.getLogger(__name__)
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
class Halves:
    """Both graphs of a checkpoint, serialised, and how far they are from PyTorch.

    Attributes:
        backbone: input ``pixels``, outputs ``map0`` and so on.
        rest: inputs ``map0`` and so on, outputs named by task id.
        difference: largest absolute difference per output over that output's largest value.
    """

    backbone: bytes
    rest: bytes
    difference: float


@dataclass(frozen=True)
class Example:
    """Inputs of a graph by name, and what PyTorch makes of them."""

    feed: dict[str, Tensor]
    wanted: Sequence[Tensor]


def export_halves(checkpoint: Path, one_image: bool = True) -> Halves:
    """Export a checkpoint and compare the graphs with PyTorch's output.

    Args:
        checkpoint: a stage checkpoint (.safetensors).
        one_image: the graphs are faster, but take one image at a time and run on this
            processor only; False gives graphs for every batch size and processor.

    Raises:
        InputError: the checkpoint is not usable.
        RuntimeError: the graphs do not compute what PyTorch computes.
    """
    network, _ = load_network(checkpoint)
    return halves_of(network, one_image)


@torch.no_grad()
def halves_of(network: UnifiedVisionSystem, one_image: bool = True) -> Halves:
    """As export_halves, of a network in eval mode; its neck is folded and cannot be trained on."""
    backbone, rest = BackboneHalf(network).eval(), RestHalf(network).eval()
    backbone_examples, rest_examples = [], []
    for hw in CHECKED_HW:
        pixels = random_pixels(1, hw)
        maps = backbone(pixels)
        map_names = [f"map{i}" for i in range(len(maps))]
        backbone_examples.append(Example({"pixels": pixels}, maps))
        feed = dict(zip(map_names, maps, strict=True))
        rest_examples.append(Example(feed, rest(*maps)))
    folded = FoldedFusion(network.neck, network.config.levels)
    network.neck = folded  # type: ignore[assignment]
    traced = random_pixels(2, TRACED_HW)
    backbone_graph = export(backbone, (traced,), ["pixels"], map_names)
    rest_graph = export(rest, backbone(traced), map_names, list(network.tasks))
    backbone_bytes, first = fastest(backbone_graph, backbone_examples, one_image)
    rest_bytes, second = fastest(rest_graph, rest_examples, one_image)
    return Halves(backbone_bytes, rest_bytes, max(first, second))


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
            file,  # type: ignore[arg-type]
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={**axes, **{name: {0: "n"} for name in outputs}},
            dynamo=False,
        )
    return onnx.load_from_string(file.getvalue())


def fastest(
    graph: onnx.ModelProto, examples: Sequence[Example], one_image: bool
) -> tuple[bytes, float]:
    """The fastest form of a graph that still computes what PyTorch does; and its difference.

    Raises:
        RuntimeError: not even the graph as it was exported does.
    """
    forms: dict[str, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
        "rewritten": faster,
        "as exported": lambda model: model,
    }
    if one_image:
        forms = {"blocked": lambda model: blocked(cleaned(model)), **forms}
    reason = ""
    for name, form in forms.items():
        try:
            content = form(copied(graph)).SerializeToString()
            distance = max(difference(content, example) for example in examples)
            if distance <= TOLERANCE:
                return content, distance
            reason = f"it is off from PyTorch by {distance:.2g} of the largest value"
        except Exception as error:  # onnx and onnxruntime raise all kinds
            reason = str(error)
        LOG.info("The %s form of a graph cannot be used: %s.", name, reason)
    raise RuntimeError(f"The exported graph cannot be used: {reason}.")


def copied(graph: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that may be changed."""
    return onnx.ModelProto.FromString(graph.SerializeToString())


def difference(content: bytes, example: Example) -> float:
    """Largest absolute difference per output, over the larger of 1e-6 and its largest value."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    found = session.run(None, {name: value.numpy() for name, value in example.feed.items()})
    distances = [
        float(np.abs(f - w.numpy()).max() / max(1e-6, float(w.abs().max())))
        for f, w in zip(found, example.wanted, strict=True)
    ]
    # NaN compares false with everything: it must not pass as small.
    return max(distances) if np.isfinite(distances).all() else float("inf")
