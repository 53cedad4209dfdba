"""Let a run's classifier say "none of these", by images held out from its training.

python -m training.none_of_these --run RUN --data DIR --split train:tune --eval-split val

The images of all other tasks' sets stand for what is of none of the classes. Every stage's own
threshold goes into its checkpoint's header, and what it does into run.json; weights stay as they
are. With --dry-run nothing is written.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mtl_core.analysis.none_of_these import rejected, separations
from mtl_core.data.splits import Split
from mtl_core.engine.onnx_engine import OnnxEngine
from mtl_core.runs.checkpoint import change_header, read_header
from mtl_core.runs.run_directory import Run
from mtl_core.runs.sealed_json import write_sealed
from mtl_core.tasks import TASKS
from mtl_core.tasks.data_roots import DataRoots, data_roots, read_split
from mtl_core.types import InputError
from training.command import run as run_command


@dataclass
class Options:
    """Choose from which score on an image counts as one of the classes."""

    run: Path  # a run directory, trained without the images of split
    data: Path  # root of the sets that hold split
    split: str = "train:tune"  # images that neither trained the run nor measure it
    eval_data: Path | None = None  # root of the sets that hold eval_split; those of data by default
    eval_split: str = "val"  # images on which the choice is measured
    sets: dict[str, Path] = field(default_factory=dict)  # by task id, those that lie elsewhere
    false_alarms: float = 0.05  # share of images of the classes that may be told as none of these
    dry_run: bool = False  # only print

    def __post_init__(self) -> None:
        if not 0 <= self.false_alarms < 1:
            raise InputError(
                f"--false-alarms is {self.false_alarms}, expected a share from 0 to below 1."
            )


def logits_of(engine: OnnxEngine, split: Split, task: str, title: str) -> np.ndarray:
    """N x C float32: what a classifier says of a split's images, whatever they are annotated for.

    Args:
        engine: of a checkpoint that was trained the task.
        split: of any task.
        task: whose answers are bars.
        title: beside the bar.
    """
    rows = []
    for item in tqdm(split.items, disable=None, desc=title, unit="image"):
        image = TASKS[split.task].read(item, split)[0]
        rows.append(engine.raw(image)[0][task])
    return np.stack(rows)


def by_set(engine: OnnxEngine, task: str, roots: DataRoots, split: str) -> dict[str, np.ndarray]:
    """Per task of the checkpoint the classifier's logits on that task's images."""
    tasks = [task, *(other for other in engine.info.kinds if other != task)]
    return {
        other: logits_of(engine, read_split(roots, other, split), task, f"{other} {split}")
        for other in tasks
    }


def main(options: Options) -> None:
    """Fit, print, write.

    Raises:
        InputError: the run has no classifier, borrows a stage to change, or has no other task.
    """
    run = Run(options.run)
    stages = [(stage, read_header(stage.weights)) for stage in run.stages]
    pairs = [(s, i, t) for s, i in stages for t in i.trained if i.kinds[t] == "bars"]
    if not pairs or len(run.class_names) < 2:
        raise InputError(
            f"{options.run} has no classifier beside another task: expected images of its classes "
            "and images of none of them."
        )
    for stage, _, _ in pairs:
        if not options.dry_run and stage.weights.parent.resolve() != run.path.resolve():
            raise InputError(f"{options.run} borrows stage {stage.number}: expected its owner.")
    roots = data_roots(options.data, options.sets)
    measured_on = data_roots(options.eval_data or options.data, options.sets)
    report: dict[str, Any] = {}
    for stage, info, task in pairs:
        engine = OnnxEngine(stage.weights)
        tuned = by_set(engine, task, roots, options.split)
        known = tuned.pop(task)
        others = np.concatenate(list(tuned.values()))
        scores = separations(known, others, options.false_alarms)
        chosen = next(iter(scores.values())).acceptance
        measured = {
            other: round(rejected(logits, chosen), 4)
            for other, logits in by_set(engine, task, measured_on, options.eval_split).items()
        }
        report[str(stage.number)] = {
            "task": task,
            "split": options.split,
            "scores": {name: asdict(found) for name, found in scores.items()},
            "chosen": asdict(chosen),
            "eval_split": options.eval_split,
            "rejected": measured,
        }
        for name, found in scores.items():
            print(f"stage {stage.number}, {name}: {found}")
        print(f"stage {stage.number}, {options.eval_split}, share said to be none: {measured}")
        if not options.dry_run:
            change_header(stage.weights, accepts={**info.accepts, task: chosen})
    if not options.dry_run:
        write_sealed(run.path / "run.json", {**run.manifest, "none_of_these": report})


if __name__ == "__main__":
    run_command(main, Options)
