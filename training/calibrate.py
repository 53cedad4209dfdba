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
from mtl_core.engine.network_file import load_network, save_checkpoint
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
        InputError: the run has no boxes, was calibrated before, or borrows a stage to change.
    """
    run = Run(options.run)
    network, info = load_network(run.stages[-1].weights)
    tasks = [task for task in info.trained if info.kinds[task] == "boxes"]
    if not tasks:
        raise InputError(f"{options.run} was not trained for boxes: there is nothing to calibrate.")
    if "score_scale" in run.manifest:
        raise InputError(f"{options.run} is calibrated already, as its run.json says.")
    roots = data_roots(options.data, options.sets)
    found = {}
    for task in tasks:
        split = read_split(roots, task, options.split)
        chosen = [item for item in split.items if fnmatch(item.image.name, options.images)]
        if not chosen:
            raise InputError(f"--images {options.images!r} matches no file of {options.split}.")
        split = replace(split, items=chosen)
        found[task] = fit(
            network, task, split, partial(tqdm, disable=None, desc=task, unit="image")
        )
        print(f"{task}: {found[task]}")
    changed = []
    for stage in run.stages:
        network, info = load_network(stage.weights)
        own = [task for task in tasks if task in info.trained]
        if own and stage.weights.parent.resolve() != run.path.resolve():
            raise InputError(f"{options.run} borrows stage {stage.number}: calibrate its owner.")
        for task in own:
            network.tasks[task].score_scale = found[task].scale
        if own:
            changed.append((stage.weights, network, stage.number, info.trained))
    for path, network, number, trained in changed:
        save_checkpoint(path, network, number, trained)
    source = {"split": options.split, "images": options.images}
    scales = {task: asdict(fitted) | source for task, fitted in found.items()}
    write_sealed(run.path / "run.json", {**run.manifest, "score_scale": scales})


if __name__ == "__main__":
    run_command(main, Options)
