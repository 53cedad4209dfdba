"""What a head costs beside the bare backbone, before anything is trained.

    python -m training.head_variants [--rounds 40]

Random weights, onnxruntime, one image of 512 x 512; the variants take turns, so that a noisy
machine is noisy for all of them, and each round gives one ratio to the backbone.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
import tyro
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from mtl_core.config import ModelConfig
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.tasks import build_tasks

CLASSES = {"seg": 21, "det": 10, "cls": 10}
VARIANTS: dict[str, dict] = {
    "separable, 256 channels, dilation 1 and 2": {},
    "separable, 256 channels, dilation 2 and 3": {"head_dilations": (2, 3)},
    "separable, 192 channels": {"head_channels": 192},
    "dense, 128 channels": {"head_channels": 128, "head_kind": "dense"},
    "dense, 128 channels, P3 + P4": {
        "head_channels": 128,
        "head_kind": "dense",
        "levels": (3, 4),
    },
}


@dataclass
class Options:
    """Time head variants against the bare backbone."""

    rounds: int = 40  # each variant once a round
    threads: int = 2  # of onnxruntime
    side_px: int = 512  # of the square input


class _Parts(nn.Module):
    """The network, or only its backbone, with a tuple of tensors as its result."""

    def __init__(self, network: UnifiedVisionSystem, backbone_only: bool) -> None:
        super().__init__()
        self.network, self.backbone_only = network, backbone_only

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        if self.backbone_only:
            return tuple(self.network.backbone(x))
        return tuple(self.network(x).raw.values())


def session(config: ModelConfig, backbone_only: bool, options: Options) -> ort.InferenceSession:
    """An optimised graph with random weights."""
    names = {task: [f"{task} {i}" for i in range(n)] for task, n in CLASSES.items()}
    network = UnifiedVisionSystem(config, build_tasks(names)).eval()
    graph: Any = io.BytesIO()  # torch takes files, too, its stubs do not
    x = torch.zeros(1, 3, options.side_px, options.side_px)
    torch.onnx.export(
        _Parts(network, backbone_only).eval(), (x,), graph, input_names=["x"], dynamo=False
    )
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.log_severity_level = 3
    return ort.InferenceSession(graph.getvalue(), settings, providers=["CPUExecutionProvider"])


def main(options: Options) -> None:
    """Build, alternate, print medians."""
    sessions = {"bare backbone": session(ModelConfig(), True, options)}
    for name, change in VARIANTS.items():
        sessions[name] = session(replace(ModelConfig(), **change), False, options)
    x = np.random.default_rng(0).standard_normal((1, 3, options.side_px, options.side_px))
    feed = {"x": x.astype(np.float32)}
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for i in range(options.rounds + 3):
        for name, one in sessions.items():
            start = time.perf_counter()
            one.run(None, feed)
            if i >= 3:  # the first rounds warm up
                times[name].append((time.perf_counter() - start) * 1e3)
    table = Table("variant", "median, ms", "ratio to the backbone")
    backbone = np.array(times["bare backbone"])
    for name, values in times.items():
        ratio = np.median(np.array(values) / backbone)
        table.add_row(name, f"{np.median(values):.1f}", f"{ratio:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main(tyro.cli(Options))
