"""Write a run's stages as ONNX files for others.

python -m training.export --run RUN --format onnx [--int8 --data DIR]
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import onnx
from tqdm import tqdm

from mtl_core.runs.checkpoint import read_header
from mtl_core.runs.run_directory import Run, StageFile
from mtl_core.runs.sealed_json import write_json
from mtl_core.tasks.data_roots import data_roots, read_split
from mtl_core.types import InputError
from training.command import run
from training.onnx_export.decoded_graph import decoded_graph
from training.onnx_export.quantise import Calibration, quantised, scores
from training.onnx_export.readme import readme


@dataclass
class Options:
    """Write a run's stages as files that others use without this project."""

    run: Path  # a run directory
    format: Literal["onnx"] = "onnx"
    out: Path | None = None  # folder to write, RUN/export by default
    stages: tuple[int, ...] = ()  # numbers from 1; all by default
    int8: bool = False  # also write int8 files and measure what they lose; needs --data
    data: Path | None = None  # root of the three sets, as training.train takes it
    calibrate_split: str = "train"  # its images set the ranges of int8
    calibrate_n: int = 60  # images for that
    measure_split: str = "val"  # its scores are written beside the int8 files

    def __post_init__(self) -> None:
        if self.int8 and self.data is None:
            raise InputError("--int8 needs --data DIR: images to calibrate and measure with.")


def chosen_stages(run: Run, numbers: tuple[int, ...]) -> list[StageFile]:
    """The run's stages of these numbers.

    Raises:
        InputError: the run has no such stage.
    """
    have = [stage.number for stage in run.stages]
    for number in numbers:
        if number not in have:
            raise InputError(f"--stages {number}: {run.path} has the stages {have}.")
    return [stage for stage in run.stages if not numbers or stage.number in numbers]


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write a graph under a temporary name, then move it into place."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(model.SerializeToString())
    os.replace(temporary, path)


def export_int8(
    options: Options, stage: StageFile, model: onnx.ModelProto, float_file: Path
) -> dict[str, Any]:
    """Write a stage's int8 file; returns its scores beside those of the float file.

    Raises:
        InputError: the data is not usable.
    """
    assert options.data is not None
    roots = data_roots(options.data)
    info = read_header(stage.weights)
    splits = [read_split(roots, task, options.calibrate_split) for task in info.trained]
    calibration = Calibration(splits, options.calibrate_n, info.model)
    path = float_file.with_name(f"{float_file.stem}.int8.onnx")
    save(quantised(model, calibration), path)
    before = scores(float_file, roots, options.measure_split)
    after = scores(path, roots, options.measure_split)
    result = {
        "float": before,
        "int8": after,
        "loss": {metric: before[metric] - after[metric] for metric in before},
        "measured_on": options.measure_split,
        "calibrated_on": {"split": options.calibrate_split, "images": len(calibration.files)},
    }
    write_json(path.with_suffix(".json"), result)
    return result


def export(options: Options) -> Path:
    """Write all files; returns their folder.

    Raises:
        InputError: the run or the data is not usable.
    """
    run = Run(options.run)
    stages = chosen_stages(run, options.stages)
    out = options.out or run.path / "export"
    out.mkdir(parents=True, exist_ok=True)
    files: dict[str, list[str]] = {}
    losses: dict[str, dict[str, dict[str, float]]] = {}
    metadata: dict[str, str] = {}
    for stage in tqdm(stages, desc="export", unit="stage"):
        model = decoded_graph(stage.weights)
        path = out / f"stage{stage.number}.onnx"
        save(model, path)
        metadata = {p.key: p.value for p in model.metadata_props}
        files[path.name] = list(json.loads(metadata["class_names"]))
        if options.int8:
            name = f"{path.stem}.int8.onnx"
            losses[name] = export_int8(options, stage, model, path)
            files[name] = files[path.name]
    outputs = json.loads(metadata["outputs"])
    page = readme(run.name, files, metadata, outputs, losses)
    (out / "README.md").write_text(page, encoding="utf-8")
    return out


def main(options: Options) -> None:
    """Export, and say where to look."""
    out = export(options)
    print(f"Written to {out}; {out / 'README.md'} shows how to use it.")


if __name__ == "__main__":
    run(main, Options)
