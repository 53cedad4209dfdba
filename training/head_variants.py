"""What a head costs beside the bare backbone, before anything is trained.

    python -m training.head_variants [--rounds 40]

Random weights, onnxruntime, one image of 512 x 512; the variants take turns, so that a noisy
machine is noisy for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from mtl_core.config import ModelConfig
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.tasks import CLS, DET, SEG, build_tasks
from training.timing.alternating_times import Case, alternate, ratio
from training.timing.networks import OurGraphs, backbone_graph, running

CLASSES = {SEG.id: 21, DET.id: 10, CLS.id: 10}
VARIANTS: dict[str, dict[str, Any]] = {
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
BARE, WARMUP = "bare backbone", 3


@dataclass
class Options:
    """Time head variants against the bare backbone."""

    rounds: int = 40  # each variant once a round
    threads: int = 2  # of onnxruntime
    side_px: int = 512  # of the square input


def network(change: dict[str, Any]) -> UnifiedVisionSystem:
    """A variant with random weights."""
    names = {task: [f"{task} {i}" for i in range(n)] for task, n in CLASSES.items()}
    return UnifiedVisionSystem(replace(ModelConfig(), **change), build_tasks(names)).eval()


def main(options: Options) -> None:
    """Build, alternate, print medians."""
    shape = (1, options.side_px, options.side_px, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    cases: dict[str, Case] = {BARE: running(backbone_graph(network({}), options.threads), pixels)}
    for name, change in VARIANTS.items():
        cases[name] = OurGraphs.in_memory(network(change), options.threads).on(pixels)
    times = alternate(cases, options.rounds, WARMUP)
    table = Table("variant", "median, ms", "ratio to the backbone")
    for name, values in times.items():
        compared = ratio(values, times[BARE]).value
        table.add_row(name, f"{np.median(values):.1f}", f"{compared:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main(tyro.cli(Options))
