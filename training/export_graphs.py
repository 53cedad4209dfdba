"""Write the graphs that are shipped with the project: one pair per architecture, without weights.

    python -m training.export_graphs [--runs assets/runs]

To be run whenever the network's forward pass or the making of graphs has changed; until then
engines notice that the shipped graphs are older than the code, and export anew.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from mtl_core.engine.network_file import load_network
from mtl_core.onnx_graphs.export import template_from
from mtl_core.onnx_graphs.template import SHIPPED, shipped_path
from mtl_core.runs.checkpoint import read_header
from mtl_core.types import InputError


@dataclass
class Options:
    """Export the graphs of the architectures that shipped runs have."""

    runs: Path = Path("assets/runs")  # a folder of run directories


def export_graphs(runs: Path, folder: Path = SHIPPED) -> list[Path]:
    """Write a template per architecture and remove those that no run has; returns the files.

    Args:
        runs: a folder of run directories.
        folder: where templates lie.

    Raises:
        InputError: there is no checkpoint, or one is not usable.
    """
    checkpoints = sorted(runs.glob("*/stage*.safetensors"))
    if not checkpoints:
        raise InputError(f"{runs} holds no run with a checkpoint: expected RUN/stage1.safetensors.")
    chosen = {shipped_path(read_header(path)).name: path for path in checkpoints}
    folder.mkdir(parents=True, exist_ok=True)
    for name, checkpoint in chosen.items():
        (folder / name).write_bytes(template_from(load_network(checkpoint)[0]).to_bytes())
    for stale in folder.glob("*.zip"):
        if stale.name not in chosen:
            stale.unlink()
    return [folder / name for name in chosen]


def main(options: Options) -> None:
    """Export, and say what was written."""
    for path in export_graphs(options.runs):
        print(f"Written: {path}, {path.stat().st_size / 2**10:.0f} KB.")


if __name__ == "__main__":
    try:
        main(tyro.cli(Options))
    except InputError as error:
        sys.exit(f"error: {error}")
