"""Check a data folder as training will read it: all faults at once, warnings, and counts.

python -m training.check_data --data DIR [--sets TASK DIR] [--tasks TASK ...]
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from mtl_core.data.checks import Report
from mtl_core.tasks import TASKS
from mtl_core.tasks.data_checks import check_data
from mtl_core.tasks.data_roots import data_roots
from mtl_core.types import InputError
from training.command import run


@dataclass
class Options:
    """Read every image and label of a data folder and report what is wrong with them."""

    data: Path  # root of the sets
    sets: dict[str, Path] = field(default_factory=dict)  # by task id, those that lie elsewhere
    tasks: tuple[str, ...] = ()  # only these; by default all whose sets are there
    train_split: str = "train"
    eval_split: str = "val"
    eval_data: Path | None = None  # root of the sets that hold eval_split; those of data by default
    allow_near_duplicates: bool = False  # no warning of near-identical images in both splits


def progress(items: Iterable[Any], total: int) -> Iterable[Any]:
    """A bar, once it takes more than two seconds."""
    yield from tqdm(
        items, disable=None, total=total, desc="check", unit="image", delay=2, leave=False
    )


def check(options: Options) -> Report:
    """All that was found.

    Raises:
        InputError: a task is unknown, or no set is there.
    """
    roots = data_roots(options.data, options.sets)
    held_out = data_roots(options.eval_data) if options.eval_data else roots
    tasks = options.tasks or tuple(t for t in TASKS.infos if roots[t].exists() or t in options.sets)
    if not tasks:
        folders = ", ".join(info.folder for info in TASKS.infos.values())
        raise InputError(f"{options.data} holds no set, expected some of {folders}.")
    return check_data(
        tasks,
        (roots, options.train_split),
        (held_out, options.eval_split),
        progress,
        not options.allow_near_duplicates,
    )


def show(report: Report, console: Console) -> None:
    """Counts as tables, then warnings, then faults."""
    for task, splits in report.counts.items():
        numbers = report.images[task]
        table = Table("class", title=f"{task}: objects or images per class")
        for name in splits:
            table.add_column(f"{name} ({numbers[name]} images)", justify="right")
        for row in dict.fromkeys(name for counts in splits.values() for name in counts):
            table.add_row(row, *(str(counts.get(row, "-")) for counts in splits.values()))
        console.print(table)
    for kind, sentences in (("warning", report.warnings), ("fault", report.faults)):
        for sentence in sentences:
            console.print(f"{kind}: {sentence}", markup=False, highlight=False, soft_wrap=True)
    found = f"{len(report.faults)} faults, {len(report.warnings)} warnings"
    console.print(f"{sum(sum(n.values()) for n in report.images.values())} images: {found}.")


def main(options: Options) -> int:
    """Print the report; the exit code is 1 where training could not begin."""
    report = check(options)
    show(report, Console())
    return 1 if report.faults else 0


if __name__ == "__main__":
    run(lambda options: sys.exit(main(options)), Options)
