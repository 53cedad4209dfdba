"""Measure what a checkpoint reaches, and in what time, at several input sizes, in float and int8.

    python -m training.accuracy_and_time --run RUN --data DIR [--calibrate-data DIR]

Writes RUN/accuracy_and_time.json, which the page's Latency tab draws. Scores are those of the
exported files, which others would use; all times are taken in one process, in turn.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core.learning.hardware import machine
from mtl_core.onnx_graphs.processor import available_cores
from mtl_core.runs.checkpoint import read_header
from mtl_core.runs.run_directory import Run
from mtl_core.runs.sealed_json import write_sealed
from mtl_core.tasks.data_roots import data_roots, read_split
from mtl_core.types import InputError
from training.command import run as run_command
from training.export import save
from training.markdown import markdown
from training.onnx_export.decoded_graph import decoded_graph
from training.onnx_export.exported_model import ExportedModel
from training.onnx_export.quantise import Calibration, quantised, scores_of
from training.timing.alternating_times import alternate, ratio, summary

WARMUP = 3


@dataclass
class Options:
    """Measure a run's last stage at several sizes."""

    run: Path  # a run directory
    data: Path  # root of the sets that hold split
    split: str = "val"  # images that are measured
    sets: dict[str, Path] = field(default_factory=dict)  # by task id, those that lie elsewhere
    calibrate_data: Path | None = None  # root of the sets that hold calibrate_split; data's else
    calibrate_split: str = "train"  # its images set the ranges of int8
    calibrate_n: int = 60  # images for that
    sizes: tuple[int, ...] = (256, 320, 384, 448, 512)  # long side of an image, pixels
    rounds: int = 40  # measurements of every time
    threads: int = 0  # of a pass; 0 takes all available cores
    out: Path | None = None  # JSON to write; RUN/accuracy_and_time.json by default

    def __post_init__(self) -> None:
        wrong = [size for size in self.sizes if size % 32 or size <= 0]
        if wrong or not self.sizes:
            raise InputError(f"--sizes {wrong}: expected one or more multiples of 32.")
        if self.rounds < 2:
            raise InputError(f"--rounds is {self.rounds}, expected at least 2.")


def measured(options: Options) -> dict[str, Any]:
    """All that accuracy_and_time.json holds.

    Raises:
        InputError: the run or the data is not usable.
    """
    run = Run(options.run)
    stage = run.stages[-1]
    info = read_header(stage.weights)
    roots = data_roots(options.data, options.sets)
    splits = [read_split(roots, task, options.split) for task in info.trained]
    ranges = data_roots(options.calibrate_data or options.data, options.sets)
    calibration = Calibration(
        [read_split(ranges, task, options.calibrate_split) for task in info.trained],
        options.calibrate_n,
        info.model,
    )
    threads = options.threads or available_cores()
    models: dict[str, ExportedModel] = {}
    with tempfile.TemporaryDirectory() as folder:
        whole = decoded_graph(stage.weights)
        for precision in ("float32", "int8"):
            path = Path(folder) / f"{precision}.onnx"
            save(whole if precision == "float32" else quantised(whole, calibration), path)
            models[precision] = ExportedModel(path, threads)
    found: dict[tuple[str, int], dict[str, float]] = {}
    cases = {}
    for precision, model in models.items():
        for size in options.sizes:
            model.config = replace(model.config, input_px=size)
            found[precision, size] = scores_of(model, splits, f"{precision}, {size} px")
            noise = np.random.default_rng(0).integers(0, 256, (1, size, size, 3)).astype(np.uint8)
            cases[f"{precision} {size}"] = partial(model.session.run, None, {"pixels": noise})
    times = alternate(cases, options.rounds, WARMUP)
    return {
        "machine": machine(),
        "settings": {
            "run": run.name,
            "stage": stage.number,
            "threads": threads,
            "rounds": options.rounds,
            "split": options.split,
            "n": {split.task: len(split.items) for split in splits},
            "calibrated_on": {"split": options.calibrate_split, "images": len(calibration.files)},
        },
        "rows": [
            {
                "precision": precision,
                "input_px": size,
                **summary(times[f"{precision} {size}"]),
                "scores": {metric: round(value, 5) for metric, value in values.items()},
            }
            for (precision, size), values in found.items()
        ],
        "ratios": {
            f"int8 / float32, {size} px": ratio(
                times[f"int8 {size}"], times[f"float32 {size}"]
            ).to_dict()
            for size in options.sizes
        },
    }


def as_markdown(content: dict[str, Any]) -> str:
    """The rows as a table for a document, scores in percent."""
    metrics = list(content["rows"][0]["scores"])
    rows = [
        [f"{row['input_px']} px", row["precision"]]
        + [f"{100 * row['scores'][metric]:.1f}" for metric in metrics]
        + [f"{row['p50_ms']:.1f}"]
        for row in content["rows"]
    ]
    return markdown(["input", "precision", *metrics, "p50, ms"], rows)


def main(options: Options) -> None:
    """Measure, print, write."""
    content = measured(options)
    print(as_markdown(content))
    for name, found in content["ratios"].items():
        print(f"{name}: {found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})")
    out = options.out or options.run / "accuracy_and_time.json"
    write_sealed(out, content)
    print(f"Written to {out}.")


if __name__ == "__main__":
    run_command(main, Options)
