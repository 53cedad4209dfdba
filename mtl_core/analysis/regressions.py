"""What a later stage broke: every image that was right after one stage and wrong after another.

What counts as lost is defined by the task (``Task.losses``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from mtl_core.data.splits import Split
from mtl_core.decoding.boxes import SHOWN_SCORE
from mtl_core.metrics.class_mapping import data_to_model
from mtl_core.runs.predictions import prediction_key, read_predictions
from mtl_core.runs.run_directory import Run
from mtl_core.runs.sealed_json import write_sealed
from mtl_core.tasks import TASKS


@dataclass(frozen=True)
class Regression:
    """One image's losses in one task between two stages.

    Attributes:
        image: its ``prediction_key``.
        task: its id.
        before: number of the stage after which it was right.
        after: number of the stage after which it is wrong.
        loss: 0 to 1: share of pixels, of objects found, or of the one class, that was lost.
        kinds: how much of each kind: boxes and classes are counted, masks are shares of pixels.
        classes: names of the true classes that lost.
    """

    image: str
    task: str
    before: int
    after: int
    loss: float
    kinds: dict[str, float]
    classes: list[str]


def regressions(run: Run, splits: dict[str, Split]) -> list[Regression]:
    """All losses of a run, largest first, between every two stages that a task went through.

    Raises:
        InputError: predictions are missing or damaged.
    """
    found = []
    numbers = [stage.number for stage in run.stages]
    trained = {stage.task: stage.number for stage in run.stages}
    for task, split in splits.items():
        own = [n for n in numbers if n >= trained.get(task, numbers[-1])]
        names = run.class_names[task]
        to_model = data_to_model(names, list(split.class_names), task)
        stored = {
            n: read_predictions(run.path / "predictions", n, task, run.class_names) for n in own
        }
        pairs = [(a, b) for i, a in enumerate(own) for b in own[i + 1 :]]
        for item in split.items if pairs else []:
            truth, stem = TASKS[task].read(item, split)[1], prediction_key(item)
            for a, b in pairs:
                loss, kinds, classes = TASKS[task].losses(
                    truth, to_model, stored[a][stem], stored[b][stem]
                )
                if kinds:
                    lost = [names[c] for c in classes]
                    found.append(Regression(stem, task, a, b, round(loss, 5), kinds, lost))
    return sorted(found, key=lambda r: -r.loss)


def keep_regressions(run: Run, splits: dict[str, Split]) -> None:
    """Write them into the run as ``regressions.json``, which the page shows."""
    rows = [asdict(row) for row in regressions(run, splits)]
    write_sealed(run.path / "regressions.json", {"score": SHOWN_SCORE, "rows": rows})
