"""The frozen half of the backbone, run once a batch for student, teacher and evaluation alike.

It has no gradient and never changes within a stage, so on a CPU it runs as an ONNX graph that was
compared with PyTorch; elsewhere it runs in PyTorch.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mtl_core.learning.feature_store import FeatureStore
from mtl_core.model.backbone import Backbone
from mtl_core.onnx_graphs.export import CHECKED_HW, TRACED_HW, Example, export, verified
from mtl_core.onnx_graphs.rewrites import cleaned
from mtl_core.onnx_graphs.session import Graph


class _Frozen(nn.Module):
    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.backbone.frozen(x))


@torch.no_grad()
def frozen_graph(backbone: Backbone, threads: int = 0) -> Graph:
    """``backbone.frozen`` as an ONNX graph that is ready to run.

    Args:
        backbone: its weights of the moment are copied into the graph.
        threads: of a run; 0 takes all available cores.

    Raises:
        RuntimeError: the graph does not compute what PyTorch computes.
    """
    generator = torch.Generator().manual_seed(0)

    def noise(n: int, hw: tuple[int, int]) -> Tensor:
        return torch.rand(n, 3, *hw, generator=generator) * 2 - 1

    module = _Frozen(backbone).eval()
    examples = []
    for hw in CHECKED_HW:
        values = noise(1, hw)
        examples.append(Example({"values": values}, module(values)))
    names = [f"map{i}" for i in range(len(examples[0].wanted))]
    graph = cleaned(export(module, (noise(2, TRACED_HW),), ["values"], names))
    return verified(Graph(graph.SerializeToString(), threads), examples)


def frozen_key(backbone: Backbone) -> str:
    """Equal for backbones of one architecture with equal frozen halves, run by one onnxruntime.

    Equal weights are not enough: architectures may differ in padding or epsilon alone.
    """
    made_by = f"{backbone.name} {backbone.cut} {version('onnxruntime')}"
    digest = hashlib.sha256(made_by.encode())
    for name, value in (
        nn.ModuleList([backbone.stem, *backbone.blocks[: backbone.cut]]).state_dict().items()
    ):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


class FrozenFeatures:
    """Callable: N x 3 x H x W float32 -> the maps that ``Backbone.rest`` takes.

    Args:
        backbone: its frozen half is copied into the graph now; it must not change afterwards.
        device: where the rest of the network runs.
        threads: of the graph; 0 takes all available cores.
        kept: folder in which the maps of every image are kept, for runs that see the same
            images through the same weights; on a CPU only.

    Attributes:
        key: of the frozen weights; empty where they are not run as a graph.
    """

    def __init__(
        self,
        backbone: Backbone,
        device: torch.device,
        threads: int = 0,
        kept: Path | None = None,
    ) -> None:
        self.backbone = backbone
        self.key = ""
        self.graph: Graph | None = None
        self.kept: FeatureStore | None = None
        if device.type != "cpu" or backbone.cut == 0:
            return
        self.key = frozen_key(backbone)
        self.graph = frozen_graph(backbone, threads)
        if kept is not None:
            self.kept = FeatureStore(kept / self.key)

    @torch.no_grad()
    def __call__(self, x: Tensor) -> list[Tensor]:
        """Normalised N x 3 x H x W float32 -> maps, without gradient."""
        if self.graph is None:
            return self.backbone.frozen(x)
        # One image at a time: its maps stay in the processor's cache, a whole batch's do not.
        maps = [self.one(np.ascontiguousarray(image)[None]) for image in x.numpy()]
        return [torch.from_numpy(np.concatenate(level)) for level in zip(*maps, strict=True)]

    def one(self, image: np.ndarray) -> list[np.ndarray]:
        """1 x 3 x H x W -> its maps, run or kept."""
        assert self.graph is not None
        maps = self.kept.get(image) if self.kept else None
        if maps is None:
            maps = self.graph.session.run(None, {"values": image})
            if self.kept:
                self.kept.put(image, maps)
        return maps
