"""Score a run's checkpoints anew: its records, predictions and verdicts as the code is now.

python -m training.rescore --run RUN --data DIR [--input-px 384]
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from mtl_core.analysis.verdicts import judge
from mtl_core.data.fingerprint import fingerprint
from mtl_core.engine.network_file import load_network, read_info
from mtl_core.learning.evaluation import measure, score_rows
from mtl_core.learning.frozen_features import FrozenFeatures
from mtl_core.runs.checkpoint import set_input_px
from mtl_core.runs.predictions import PredictionFile
from mtl_core.runs.records import read_rows, write_records
from mtl_core.runs.run_directory import Run, StageFile
from mtl_core.runs.sealed_json import write_sealed
from mtl_core.tasks.data_roots import data_roots, read_split
from mtl_core.types import InputError
from training.command import run


@dataclass
class Options:
    """Replace a run's whole-split scores after decoding or metrics have changed."""

    run: Path  # a run directory
    data: Path  # root of the three sets
    split: str = "val"  # the one that the run was evaluated on
    input_px: int | None = None  # from now on the checkpoints see an image's long side so large
    sets: dict[str, Path] = field(default_factory=dict)  # by task id, those that lie elsewhere


def refuse_if_lent(run: Run, stages: list[StageFile]) -> None:
    """Let no run's checkpoint change under a run that takes it from there.

    Raises:
        InputError: one of the runs beside this one takes one of these stages from it.
    """
    home = run.path.resolve()
    own = {f for f in (stage.weights.resolve() for stage in stages) if f.parent == home}
    for manifest in sorted(home.parent.glob("*/run.json")):
        try:
            beside = Run(manifest.parent)
        except InputError:
            continue  # what cannot be opened borrows nothing
        lent = [s.number for s in beside.stages if s.weights.resolve() in own]
        if lent and manifest.parent != home:
            raise InputError(
                f"{beside.path} takes its stage {lent[0]} from {run.path}: expected it to be "
                "rescored first, which gives it a copy of its own."
            )


def rescore(options: Options) -> None:
    """Measure every stage on its tasks, then judge the run.

    A new input size goes into the checkpoints' headers, and into run.json beside the config that
    the run was trained with; a checkpoint of a neighbour becomes the run's own copy before.

    Raises:
        InputError: the data is not what the run was evaluated on, or files are unusable.
    """
    run = Run(options.run)
    roots = data_roots(options.data, options.sets)
    splits = {task: read_split(roots, task, options.split) for task in run.class_names}
    for task, split in splits.items():
        if fingerprint(split) != run.manifest["data_fingerprint"][task]["eval"]:
            raise InputError(
                f"{options.run} was evaluated on other {task} images than {split.name} of "
                f"{options.data}: expected the same."
            )
    path = options.run / "records.jsonl"
    rows = read_rows(path)
    ends = {row["stage"]: row for row in rows if row["scope"] == "stage"}
    kept = [row for row in rows if row["scope"] != "stage"]
    changed = [
        stage
        for stage in run.stages
        if options.input_px not in (None, read_info(stage.weights).model.input_px)
    ]
    refuse_if_lent(run, changed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    predicted: list[PredictionFile] = []
    for stage in run.stages:
        network, info = load_network(stage.weights)
        if options.input_px:
            network.config = replace(network.config, input_px=options.input_px)
        network = network.to(device).to(memory_format=torch.channels_last)
        network.backbone.freeze_until(None)
        frozen = FrozenFeatures(network.backbone, device)
        for task in info.trained:
            keep = PredictionFile(options.run / "predictions", stage.number, task)
            predicted.append(keep)
            bar = partial(
                tqdm, disable=None, desc=f"stage {stage.number}, {task}", unit="image", leave=False
            )
            score = measure(network, frozen, splits[task], bar, keep.add)
            end = ends[stage.number]
            place = {"stage": stage.number, "step": end["step"], "epoch": end["epoch"]}
            kept += score_rows(score, place | {"task": task}, "stage")
            shown = ", ".join(f"{k} {v:.4f}" for k, v in score.values.items())
            tqdm.write(f"stage {stage.number} {task}: {shown} (n={score.n})")
    kept.sort(key=lambda row: row["stage"])  # a stage's subset evaluations stay before its end
    # All is measured before anything is written: a stop half-way leaves the run as it was.
    for file in predicted:
        file.write()
    write_records(path, kept)
    if options.input_px:
        for stage in changed:
            own = run.path / f"stage{stage.number}.safetensors"
            if stage.weights.resolve() != own.resolve():
                shutil.copyfile(stage.weights, own)
            set_input_px(own, options.input_px)
        manifest = {**run.manifest, "evaluated_input_px": options.input_px}
        write_sealed(run.path / "run.json", manifest)
    judge(Run(options.run), splits)


if __name__ == "__main__":
    run(rescore, Options)
