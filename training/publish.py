"""Copy finished runs to where they are published, each equal checkpoint only once.

python -m training.publish --runs STUDY/distill-seed0 STUDY/finetune-seed0 --out assets/runs
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from mtl_core.onnx_graphs.weights import file_sha256
from mtl_core.runs.run_directory import Run
from mtl_core.runs.sealed_json import write_sealed
from mtl_core.types import InputError
from training.command import run

# What a page or a reader needs; the resume state is not among it.
FILES = (
    "records.jsonl",
    "verdicts.json",
    "regressions.json",
    "explain.json",
    "latency.json",
    "accuracy_and_time.json",
)


@dataclass
class Options:
    """Copy runs without their resume state; equal checkpoints are named instead of copied."""

    runs: tuple[Path, ...]  # finished run directories
    out: Path  # folder of published runs
    names: tuple[str, ...] = ()  # of the copies, in the runs' order; their own by default


def ship(source: Path, target: Path) -> None:
    """Copy one run.

    Raises:
        InputError: the source is no run, or something stands where the copy would go.
    """
    run = Run(source)
    if target.exists():
        raise InputError(f"{target} exists: expected a new directory, remove it first.")
    known = {file_sha256(path): path for path in sorted(target.parent.glob("*/stage*.safetensors"))}
    target.mkdir(parents=True)
    shared = {}
    for stage in run.stages:
        equal = known.get(file_sha256(stage.weights))
        if equal is None:
            shutil.copyfile(stage.weights, target / f"stage{stage.number}.safetensors")
        else:
            shared[str(stage.number)] = f"{equal.parent.name}/{equal.name}"
    for name in FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    if (source / "predictions").is_dir():
        shutil.copytree(source / "predictions", target / "predictions")
    manifest = {key: value for key, value in run.manifest.items() if key != "stage_files"}
    write_sealed(target / "run.json", manifest | ({"stage_files": shared} if shared else {}))


def main(options: Options) -> None:
    """Copy all."""
    names = options.names or tuple(path.resolve().name for path in options.runs)
    if len(names) != len(options.runs):
        raise InputError(f"--names has {len(names)} names, expected {len(options.runs)}.")
    for source, name in zip(options.runs, names, strict=True):
        ship(source, options.out / name)
        size = sum(p.stat().st_size for p in (options.out / name).rglob("*") if p.is_file())
        print(f"{options.out / name}: {size / 2**20:.1f} MB")


if __name__ == "__main__":
    run(main, Options)
