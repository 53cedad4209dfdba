"""Score a checkpoint on any split.

python -m training.evaluate --weights FILE.safetensors --data DIR --split val --tasks all
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from mtl_core.data.fingerprint import fingerprint
from mtl_core.engine.network_file import load_network
from mtl_core.learning.evaluation import measure
from mtl_core.learning.frozen_features import FrozenFeatures
from mtl_core.runs.sealed_json import write_json
from mtl_core.tasks.data_roots import data_roots, read_split
from mtl_core.types import InputError
from training.command import run


@dataclass
class Options:
    """Print mIoU, mAP, mAP50 and top1 of a checkpoint, each a fraction."""

    weights: Path  # a stage checkpoint; its header holds config and class names
    data: Path  # root of the three sets
    split: str = "val"  # a folder name of the sets, or train:fit, train:tune
    tasks: tuple[str, ...] = ("all",)  # all, or some of seg, det, cls
    input_px: int | None = None  # long side of an image, instead of the checkpoint's own
    json: Path | None = None  # also write the scores there
    sets: dict[str, Path] = field(default_factory=dict)  # by task id, those that lie elsewhere


def evaluate(options: Options) -> dict[str, Any]:
    """The scores, as the JSON file holds them: metric names, ``per_class``, ``n`` and provenance.

    Raises:
        InputError: the weights or the data are unusable, or hold unknown tasks or classes.
    """
    network, info = load_network(options.weights)
    if options.input_px:
        network.config = replace(network.config, input_px=options.input_px)
    roots = data_roots(options.data, options.sets)
    tasks = list(info.class_names) if options.tasks == ("all",) else list(options.tasks)
    unknown = [task for task in tasks if task not in info.class_names]
    if unknown:
        raise InputError(
            f"--tasks {unknown[0]}: {options.weights} holds {', '.join(info.class_names)}."
        )
    splits = {task: read_split(roots, task, options.split) for task in tasks}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device).to(memory_format=torch.channels_last)
    frozen = FrozenFeatures(network.backbone, device)
    result: dict[str, Any] = {}
    per_class, counts = {}, {}
    for task, split in splits.items():
        score = measure(
            network, frozen, split, partial(tqdm, disable=None, desc=task, unit="image")
        )
        result |= score.values
        per_class[network.tasks[task].info.metrics[0]] = score.per_class
        counts[task] = score.n
    return {
        **result,
        "per_class": per_class,
        "n": counts,
        "split": options.split,
        "input_px": network.config.input_px,
        "stage": info.stage,
        "trained": info.trained,
        "data_fingerprint": {task: fingerprint(split) for task, split in splits.items()},
    }


def main(options: Options) -> None:
    """Evaluate, print a table, write the JSON file."""
    result = evaluate(options)
    table = Table("metric", "value", title=f"{options.weights}, {options.split}")
    for key, value in result.items():
        if isinstance(value, float):
            table.add_row(key, f"{value:.4f}")
    Console().print(table)
    if options.json:
        write_json(options.json, result)


if __name__ == "__main__":
    run(main, Options)
