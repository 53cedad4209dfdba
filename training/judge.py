"""Judge a run anew from the predictions it kept.

python -m training.judge --run RUN --data DIR
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mtl_core.analysis.verdicts import judge
from mtl_core.runs.run_directory import Run
from mtl_core.tasks.data_roots import data_roots, read_split
from training.command import run


@dataclass
class Options:
    """Write RUN/verdicts.json: every task's drop with its interval, and whether it was kept."""

    run: Path  # a run directory with its predictions
    data: Path  # root of the three sets
    split: str = "val"  # the one that the run was evaluated on
    sets: dict[str, Path] = field(default_factory=dict)  # by task id, those that lie elsewhere


def main(options: Options) -> None:
    """Judge, print a table."""
    run = Run(options.run)
    roots = data_roots(options.data, options.sets)
    splits = {task: read_split(roots, task, options.split) for task in run.class_names}
    table = Table("task", "base", "final", "drop, 95 % interval", "floor", "verdict", "n")
    for row in judge(run, splits)["tasks"]:
        ends = (row["drop"] or {}).values()  # the drop and the ends of its interval
        table.add_row(
            f"{row['task']} ({row['metric']})",
            f"{row['base']:.4f}",
            f"{row['final']:.4f}",
            " ".join("undefined" if end is None else f"{100 * end:+.1f} %" for end in ends),
            f"{row['floor_metric']} {row['reached']:.3f} / {row['floor']:.3f}",
            row["verdict"],
            str(row["n"]),
        )
    Console().print(table)


if __name__ == "__main__":
    run(main, Options)
