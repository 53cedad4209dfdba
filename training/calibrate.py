"""Make the scores of a run's boxes mean a probability, by images held out from its training.

python -m training.calibrate --run RUN --data DIR --split train:tune

Fits on the last stage, writes the scale into the headers of all stages from the boxes' own on and
into run.json; training.rescore measures the run anew afterwards. No weight and no order of boxes
changes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

from tqdm import tqdm

from mtl_core.analysis.score_calibration import fit
from mtl_core.engine.network_file import load_network
from mtl_core.metrics.bootstrap import finite
from mtl_core.runs.checkpoint import change_header, read_header
from mtl_core.runs.run_directory import Run
from mtl_core.runs.sealed_json import write_sealed
from mtl_core.tasks.data_roots import data_roots, read_split
from mtl_core.types import InputError
from training.command import run as run_command


@dataclass
class Options:
    """Calibrate the scores of a run's boxes."""

    run: Path  # a run directory, trained without the images of split
    data: Path  # root of the sets
    split: str = "train:tune"  # images that neither trained the run nor measure it
    images: str = "*"  # only those whose file name matches
    sets: dict[str, Path] = field(default_factory=dict)  # by task id, those that lie elsewhere


def main(options: Options) -> None:
    """Fit, change the checkpoints, say what it did.

    Raises:
        InputError: the run has no boxes, or borrows a stage to change.
    """
    run = Run(options.run)
    network, info = load_network(run.stages[-1].weights)
    tasks = [task for task in info.trained if info.kinds[task] == "boxes"]
    if not tasks:
        raise InputError(f"{options.run} was not trained for boxes: there is nothing to calibrate.")
    headers = {stage: read_header(stage.weights) for stage in run.stages}
    changed = [stage for stage, info in headers.items() if {*tasks} & {*info.trained}]
    for stage in changed:
        if stage.weights.parent.resolve() != run.path.resolve():
            raise InputError(f"{options.run} borrows stage {stage.number}: calibrate its owner.")
    roots = data_roots(options.data, options.sets)
    scales, report = {}, {}
    for task in tasks:
        split = read_split(roots, task, options.split)
        chosen = [item for item in split.items if fnmatch(item.image.name, options.images)]
        if not chosen:
            raise InputError(f"--images {options.images!r} matches no file of {options.split}.")
        split = replace(split, items=chosen)
        found = fit(network, task, split, partial(tqdm, disable=None, desc=task, unit="image"))
        print(f"{task}: {found}")
        scales[task] = found.scale
        source = {"split": options.split, "images": options.images, "n": len(chosen)}
        report[task] = finite(asdict(found)) | source
    for stage in changed:
        info = headers[stage]
        own = {task: scale for task, scale in scales.items() if task in info.trained}
        change_header(stage.weights, score_scales=info.score_scales | own)
    write_sealed(run.path / "run.json", {**run.manifest, "score_scale": report})


if __name__ == "__main__":
    run_command(main, Options)
