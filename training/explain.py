"""Where a drop came about: a run's final network with parts of an earlier stage put back.

python -m training.explain --run RUN --data DIR
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from mtl_core.analysis.module_swap import PARTS, put_back
from mtl_core.engine.network_file import load_network
from mtl_core.learning.evaluation import measure
from mtl_core.runs.run_directory import Run
from mtl_core.runs.sealed_json import write_sealed
from mtl_core.tasks.data_roots import data_roots, read_split
from mtl_core.types import InputError
from training.command import run


@dataclass
class Options:
    """Print what putting back each part restores; write RUN/explain.json."""

    run: Path  # a run directory with all its stages
    data: Path  # root of the three sets
    split: str = "val"
    sets: dict[str, Path] = field(default_factory=dict)  # by task id, those that lie elsewhere


def explain(options: Options) -> dict[str, Any]:
    """Per earlier task its base, its final score, and the score with each part put back.

    Raises:
        InputError: the run has a single stage, or its files or the data are unusable.
    """
    run = Run(options.run)
    if len(run.stages) < 2:
        raise InputError(f"{options.run} has a single stage: expected a later one to explain.")
    roots = data_roots(options.data, options.sets)
    network, _ = load_network(run.stages[-1].weights)
    final = {name: value.clone() for name, value in network.state_dict().items()}
    found = {}
    for stage in run.stages[:-1]:
        split = read_split(roots, stage.task, options.split)
        base = load_network(stage.weights)[0].state_dict()
        states = {"base": base, "final": final}
        states |= {part: put_back(final, base, part, stage.task) for part in PARTS}
        scores = {}
        for name, state in states.items():
            network.load_state_dict(state)
            bar = partial(
                tqdm, disable=None, desc=f"{stage.task}, {name}", unit="image", leave=False
            )
            score = measure(network, network.backbone.frozen, split, bar)
            scores[name] = score.values[network.tasks[stage.task].info.metrics[0]]
        found[stage.task] = scores
    return {"split": options.split, "tasks": found}


def main(options: Options) -> None:
    """Explain, print a table, write the JSON file."""
    content = explain(options)
    table = Table("task", "base", "final", *(f"{part} back" for part in PARTS))
    for task, scores in content["tasks"].items():
        table.add_row(task, *(f"{scores[name]:.4f}" for name in ("base", "final", *PARTS)))
    Console().print(table)
    write_sealed(options.run / "explain.json", content)


if __name__ == "__main__":
    run(main, Options)
