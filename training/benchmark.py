"""Measure how fast a run's networks are, beside what one would run instead.

    python -m training.benchmark --run RUN --out RUN/latency.json [--profile] [--quick]
    python -m training.benchmark --run RUN --only beside --beside boxes=yolo.onnx@640 ...

All cases of a comparison run in one process, in turn, after a warm-up; a ratio is one of medians,
with a 95 % bootstrap interval over rounds. Images are rendered or random: their content does not
matter to a network's time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mtl_core.learning.hardware import machine
from mtl_core.onnx_graphs.processor import available_cores
from mtl_core.runs.checkpoint import read_header
from mtl_core.runs.run_directory import Run
from mtl_core.runs.sealed_json import write_sealed
from mtl_core.types import InputError
from training.command import run
from training.timing.alternating_times import Case, alternate, ratio, summary
from training.timing.comparisons import COMPARISONS, Bench, Comparison
from training.timing.other_networks import Other
from training.timing.serving_process import serving

WARMUP = 3


@dataclass
class Options:
    """Measure a run's networks and what one would run instead."""

    run: Path  # a run directory
    out: Path | None = None  # JSON to write, such as RUN/latency.json
    rounds: int = 40  # measurements of every case
    threads: int = 0  # of every network; 0 takes all available cores
    side_px: int = 512  # of the square input that networks are compared at
    only: tuple[str, ...] = ()  # some of the comparisons; all by default
    beside: tuple[str, ...] = ()  # NAME=FILE.onnx@PX: anyone's networks, timed in turn with ours
    quick: bool = False  # few rounds and fewer cases: to see that it works
    profile: bool = False  # also show where an image's time goes

    def __post_init__(self) -> None:
        unknown = [name for name in self.only if name not in COMPARISONS]
        if unknown:
            raise InputError(f"--only {unknown[0]}: expected some of {', '.join(COMPARISONS)}.")
        if "beside" in self.only and not self.beside:
            raise InputError("--only beside needs --beside NAME=FILE.onnx@PX: networks to time.")
        self.others = [Other.of(words) for words in self.beside]
        if self.side_px % 32 or self.side_px <= 0:
            raise InputError(f"--side-px is {self.side_px}, expected a multiple of 32.")
        if self.rounds < 2:
            raise InputError(f"--rounds is {self.rounds}, expected at least 2.")


def timed(
    cases: dict[str, Case], rounds: int, progress: Progress, title: str
) -> dict[str, np.ndarray]:
    """Milliseconds per case and round, with a bar."""
    bar = progress.add_task(title, total=rounds + WARMUP)
    return alternate(cases, rounds, WARMUP, lambda: progress.advance(bar))


def measured(comparison: Comparison, times: dict[str, np.ndarray]) -> dict[str, Any]:
    """One comparison: times per case, sums of cases, and ratios."""
    found = dict(times)
    for name, parts in comparison.sums.items():
        found[name] = np.sum([found[part] for part in parts], axis=0)
    return {
        "times": {name: summary(values) for name, values in found.items()},
        "ratios": {
            name: ratio(found[over], found[under]).to_dict()
            for name, (over, under) in comparison.ratios.items()
        },
    }


def benchmark(options: Options) -> dict[str, Any]:
    """All that latency.json holds.

    Raises:
        InputError: the run is not usable.
    """
    run = Run(options.run)
    threads = options.threads or available_cores()
    torch.set_num_threads(threads)
    rounds = min(options.rounds, 5) if options.quick else options.rounds
    stages = [stage.weights for stage in run.stages]
    bench = Bench(stages, threads, options.side_px, options.quick, options.others)
    info = read_header(run.stages[-1].weights)
    result: dict[str, Any] = {
        "machine": machine(),
        "settings": {
            "threads": threads,
            "rounds": rounds,
            "side_px": options.side_px,
            "input_px": info.model.input_px,
            "run": run.name,
        },
    }
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        wanted = options.only or [n for n in COMPARISONS if n != "beside" or options.others]
        for name in wanted:
            title = COMPARISONS[name].__name__.replace("_", " ")
            comparison = COMPARISONS[name](bench)
            times = timed(comparison.cases, rounds, progress, title)
            result[name] = measured(comparison, times)
    if not options.only:
        result["serving"] = serving(stages, info.model.input_px)
    if options.profile:
        result["profile"] = bench.profile()
    return result


def show(result: dict[str, Any]) -> None:
    """Tables on the terminal."""
    console = Console()
    for section, content in result.items():
        if "times" not in content:
            continue
        table = Table("case", "p50, ms", "p95, ms", title=section, title_justify="left")
        for name, values in content["times"].items():
            table.add_row(name, f"{values['p50_ms']:.2f}", f"{values['p95_ms']:.2f}")
        console.print(table)
        for name, r in content["ratios"].items():
            console.print(f"  {name}: {r['value']:.2f} ({r['low']:.2f} to {r['high']:.2f})")
    if "serving" in result:
        console.print("serving process:", result["serving"])
    for graph, operators in result.get("profile", {}).items():
        table = Table("operator", "ms", "share", title=f"profile, {graph}", title_justify="left")
        total = sum(operators.values())
        for operator, value in list(operators.items())[:10]:
            table.add_row(operator, f"{value:.2f}", f"{value / total:.0%}")
        console.print(table)


def publish(result: dict[str, Any], out: Path | None) -> None:
    """Print what was measured, and write it where a file is named."""
    show(result)
    if out:
        write_sealed(out, result)
        print(f"Written to {out}.")


def main(options: Options) -> None:
    """Measure, print, write."""
    publish(benchmark(options), options.out)


if __name__ == "__main__":
    run(main, Options)
