"""A run's results as a table: what each task had, what is left, and what it reaches alone.

python -m training.summary --run RUN [--single RUN ...]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from mtl_core.config import PRIMARY
from mtl_core.metrics.accuracy_matrix import accuracy_matrix, retained
from mtl_core.run import Run
from mtl_core.types import InputError


@dataclass
class Options:
    """Print a run's results as a Markdown table."""

    run: Path  # a run directory
    single: tuple[Path, ...] = ()  # single-task references, one run directory each


def summary(run: Run, references: list[Run]) -> str:
    """The table in Markdown; scores in percent, the drop relative to the base.

    Raises:
        InputError: the run was not evaluated, or a reference taught more than one task.
    """
    records = run.records()
    matrix = accuracy_matrix(records)
    if matrix.empty:
        raise InputError(f"{run.path} holds no scores: expected records.jsonl from training.train.")
    alone: dict[str, float] = {}
    for reference in references:
        if len(reference.stages) != 1:
            raise InputError(f"{reference.path} taught several tasks, expected one alone.")
        scores = accuracy_matrix(reference.records())
        alone[str(scores.columns[0])] = float(scores.iloc[-1, 0])
    if matrix.columns[0] not in alone and len(matrix) > 1:
        # The first stage starts from the same trunk with nothing to keep: it is its own reference.
        alone[str(matrix.columns[0])] = float(matrix.iloc[0, 0])
    lines = [
        "| task | base | final | drop | alone | final / alone |",
        "|---|---|---|---|---|---|",
    ]
    for row in retained(matrix):
        reference_score = alone.get(row.task)
        shown = "" if reference_score is None else f"{100 * reference_score:.1f}"
        ratio = "" if not reference_score else f"{row.final / reference_score:.3f}"
        lines.append(
            f"| {row.task} ({PRIMARY[row.task]}) | {100 * row.base:.1f} | {100 * row.final:.1f} "
            f"| {100 * row.drop:+.1f} % | {shown} | {ratio} |"
        )
    whole = records[records["scope"] == "stage"]
    if "mAP50" in set(whole["metric"]):
        ap50 = whole[whole["metric"] == "mAP50"]["value"].iloc[-1]
        lines.append(f"| det (mAP50) | | {100 * ap50:.1f} | | | |")
    return "\n".join(lines)


def main(options: Options) -> None:
    """Read, print."""
    print(summary(Run(options.run), [Run(path) for path in options.single]))


if __name__ == "__main__":
    try:
        main(tyro.cli(Options))
    except InputError as error:
        sys.exit(f"error: {error}")
