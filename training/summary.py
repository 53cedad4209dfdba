"""A run's results as a table: what each task had, what is left, and what it reaches alone.

python -m training.summary --run RUN [--single RUN ...]
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mtl_core.metrics.accuracy_matrix import accuracy_matrix, retained
from mtl_core.runs.records import read_records
from mtl_core.runs.run_directory import Run
from mtl_core.tasks import TASKS
from mtl_core.types import InputError
from training.command import run
from training.markdown import markdown


@dataclass
class Options:
    """Print a run's results as a Markdown table."""

    run: Path  # a run directory
    single: tuple[Path, ...] = ()  # run directories of single tasks; their records are enough


def summary(records: pd.DataFrame, references: list[pd.DataFrame]) -> str:
    """The table in Markdown; scores in percent, the drop relative to the base.

    Args:
        records: of the run.
        references: of runs that trained a single task.

    Raises:
        InputError: the run was not evaluated, or a reference trained more than one task.
    """
    whole = accuracy_matrix(records)
    if whole.empty:
        raise InputError("The run holds no scores: expected records.jsonl from training.train.")
    rows = []
    for reference in references:
        trained = list(accuracy_matrix(reference).columns)
        if len(trained) != 1:
            raise InputError(
                f"A reference trained {trained or 'nothing'}: expected one task alone."
            )
    for measure in [{t: metric} for t, info in TASKS.infos.items() for metric in info.metrics]:
        matrix = accuracy_matrix(records, measure)
        alone = [accuracy_matrix(reference, measure) for reference in references]
        scores = [float(found.iloc[-1, 0]) for found in alone if not found.empty]
        for row in retained(matrix):
            if row.task == whole.columns[0] and len(whole) > 1:
                # The first stage starts from the same backbone with nothing to keep: it is its own.
                scores = scores or [row.base]
            shown = f"{100 * scores[-1]:.1f}" if scores else ""
            ratio = f"{row.final / scores[-1]:.3f}" if scores and scores[-1] else ""
            title, drop = f"{row.task} ({measure[row.task]})", f"{100 * row.drop:+.1f} %"
            percents = [f"{100 * score:.1f}" for score in (row.base, row.final)]
            rows.append([title, *percents, drop, shown, ratio])
    return markdown(["task", "base", "final", "drop", "alone", "final / alone"], rows)


def main(options: Options) -> None:
    """Read, print."""
    for path in options.single:
        if not (path / "records.jsonl").is_file():
            raise InputError(f"{path} holds no records.jsonl: expected a single-task reference.")
    references = [read_records(path / "records.jsonl") for path in options.single]
    print(summary(Run(options.run).records(), references))


if __name__ == "__main__":
    run(main, Options)
