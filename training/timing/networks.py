"""The networks that a benchmark compares, as things to call. Weights do not matter for speed."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import timm
import torch
from torch import Tensor, nn
from torchvision.models.detection import ssdlite320_mobilenet_v3_large
from torchvision.models.segmentation import lraspp_mobilenet_v3_large

from mtl_core.config import ModelConfig
from mtl_core.engine.network_file import load_network
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.onnx_graphs.export import (
    BackboneHalf,
    Example,
    export,
    random_pixels,
    template_from,
    verified,
    weights_of,
)
from mtl_core.onnx_graphs.rewrites import cleaned
from mtl_core.onnx_graphs.session import Graph, open_graph
from mtl_core.onnx_graphs.template import Half, template_of
from mtl_core.tasks import build_tasks
from training.timing.alternating_times import Case

# What one would run instead, each at its own usual size, in pixels.
USUAL_PX = {"lraspp": 520, "ssdlite": 320, "efficientnet_b0": 224}


class BareBackbone(nn.Module):
    """N x H x W x 3 uint8 -> the backbone's maps at strides 8, 16, 32: the floor of the design."""

    def __init__(self, network: UnifiedVisionSystem) -> None:
        super().__init__()
        self.frozen, self.backbone = BackboneHalf(network), network.backbone

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """As the class says."""
        return tuple(self.backbone.rest(list(self.frozen(pixels))))


class _Lraspp(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.net = lraspp_mobilenet_v3_large(
            weights=None, weights_backbone=None, num_classes=classes
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)["out"]
        return logits


class _Ssdlite(nn.Module):
    """Backbone and heads; sorting and suppression, which it also needs, are left out."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        net = ssdlite320_mobilenet_v3_large(
            weights=None, weights_backbone=None, num_classes=classes + 1
        )
        self.backbone, self.head = net.backbone, net.head

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.head(list(self.backbone(x).values())).values())


@dataclass(frozen=True)
class Classes:
    """Numbers of classes, the same for all who are compared."""

    seg: int
    det: int
    cls: int


def specialist(name: str, side_px: int, classes: Classes, threads: int) -> Case:
    """A single-purpose network with random weights, exported as its users would, at one size."""
    build: dict[str, Callable[[], nn.Module]] = {
        "lraspp": lambda: _Lraspp(classes.seg),
        "ssdlite": lambda: _Ssdlite(classes.det),
        "efficientnet_b0": lambda: timm.create_model("efficientnet_b0", num_classes=classes.cls),
    }
    torch.manual_seed(0)
    module = build[name]().eval()
    x = torch.randn(1, 3, side_px, side_px)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's age
        torch.onnx.export(
            module,
            (x,),
            file,  # type: ignore[arg-type]
            input_names=["x"],
            dynamo=False,
        )
    return running(Graph(file.getvalue(), threads), x.numpy())


def running(graph: Graph, value: np.ndarray) -> Case:
    """A graph with one input on one array."""
    held = [ort.OrtValue.ortvalue_from_numpy(value)]
    return lambda: graph(held)


@dataclass(frozen=True)
class OurGraphs:
    """Both halves of a network on a number of threads."""

    backbone: Graph
    rest: Graph

    @staticmethod
    def of(checkpoint: Path, threads: int) -> OurGraphs:
        """The same graphs that the default engine runs."""
        template = template_of(checkpoint)
        return OurGraphs(
            open_graph(template.backbone, checkpoint, threads),
            open_graph(template.rest, checkpoint, threads),
        )

    @staticmethod
    def in_memory(network: UnifiedVisionSystem, threads: int) -> OurGraphs:
        """The graphs of a network that is no checkpoint."""
        template, weights = template_from(network), weights_of(network)

        def opened(half: Half) -> Graph:
            return Graph(half.graph, threads, {name: weights[name] for name in half.shapes})

        return OurGraphs(opened(template.backbone), opened(template.rest))

    def on(self, pixels: np.ndarray) -> Case:
        """The whole network on N x H x W x 3 uint8."""
        held = [ort.OrtValue.ortvalue_from_numpy(pixels)]
        return lambda: self.rest(self.backbone(held))


@torch.no_grad()
def backbone_graph(network: UnifiedVisionSystem, threads: int, rewritten: bool = True) -> Graph:
    """A network's backbone alone, in the same form as our graphs, or as it is exported."""
    module = BareBackbone(network).eval()
    pixels = random_pixels(1, (96, 64))
    example = Example({"pixels": pixels}, module(pixels))
    graph = export(module, (random_pixels(2, (64, 96)),), ["pixels"], ["p3", "p4", "p5"])
    model = cleaned(graph) if rewritten else graph
    return verified(Graph(model.SerializeToString(), threads), [example])


def single_task_copies(
    config: ModelConfig, names: dict[str, list[str]], threads: int
) -> dict[str, OurGraphs]:
    """Our own network three times, each with one task only."""
    return {
        task: OurGraphs.in_memory(
            UnifiedVisionSystem(config, build_tasks({task: names[task]})).eval(), threads
        )
        for task in names
    }


def eager(checkpoint: Path, pixels: np.ndarray, channels_last: bool) -> Case:
    """The network in PyTorch on N x H x W x 3 uint8, already normalised and laid out."""
    network, _ = load_network(checkpoint)
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network, x = network.to(memory_format=layout), x.contiguous(memory_format=layout)

    @torch.inference_mode()
    def run() -> object:
        return network(x)

    return run
