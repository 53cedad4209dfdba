"""What makes a run the one that it is: what a resume or a shared first stage may not change."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from mtl_core.config import RunConfig
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.runs.records import read_rows, write_records
from mtl_core.runs.run_directory import Run
from mtl_core.types import InputError

# What runs of one first stage and of one study may have otherwise; evaluations on the subset change
# no weight.
VARIED = ("method", "strength", "stages", "floors", "subset_every", "subset_steps", "subset_n")


def settled(config: dict[str, Any], begun: int) -> dict[str, Any]:
    """The part of a config that a resume may not change: all but the stages still to come."""
    return {**config, "stages": list(config["stages"])[:begun]}


def check_resumable(
    out: Path, content: dict[str, Any], config: RunConfig, provenance: dict[str, str], begun: int
) -> None:
    """Hold a saved state to the config and the weights that it is to go on with.

    Args:
        out: the run directory, for what is said.
        content: of the state.
        config: the one to go on with.
        provenance: where the backbone's first weights come from now.
        begun: stages begun so far; later ones may have changed.

    Raises:
        InputError: they differ in what was done so far.
    """
    ours = json.loads(json.dumps(settled(config.to_dict(), begun)))
    # Settings that came after the run was begun are as they were without them.
    theirs = RunConfig.from_dict(json.loads(json.dumps(content["config"]))).to_dict()
    theirs = settled(json.loads(json.dumps(theirs)), begun)
    different = [key for key in ours if ours[key] != theirs.get(key)]
    if different:
        raise InputError(
            f"{out} was begun with another {different[0]}: expected the same model, method and "
            "seed, and the same settings of the stages begun so far, to --resume it."
        )
    if content["sources"]["initial_weights"] != provenance:
        raise InputError(
            f"{out} was begun with other backbone weights: expected the same --init to --resume it."
        )


def copy_first_stage(run: Run, out: Path) -> None:
    """Predictions and records of a run's first stage, into another run."""
    (out / "predictions").mkdir(parents=True, exist_ok=True)
    for path in (run.path / "predictions").glob("stage1_*.npz"):
        shutil.copyfile(path, out / "predictions" / path.name)
    rows = read_rows(run.path / "records.jsonl")
    write_records(out / "records.jsonl", [row for row in rows if row["stage"] == 1])


def load_matching(network: UnifiedVisionSystem, state: dict[str, Tensor]) -> None:
    """Load a state into a network whose later tasks may have changed since it was saved.

    A task that nothing was trained for yet may have got classes or may be new: what has another
    shape, or is missing, stays as it was initialised.

    Raises:
        InputError: what belongs to no single task differs.
    """
    own = network.state_dict()
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    for name in own.keys() - fitting.keys():
        if not set(network.tasks) & set(name.split(".")):
            raise InputError(f"The saved state does not fit this network: {name} differs.")
    network.load_state_dict(fitting, strict=False)


def changed_images(
    before: dict[str, Any], now: dict[str, Any], number: int
) -> list[dict[str, Any]]:
    """What of a run's images is not what it was begun with, one entry a task and split.

    A mended file or a task added at the end does no harm; scores from before and after a change of
    images that are evaluated on do not compare, and the run says so from then on.
    """
    changes = []
    for task in before:
        for split, found in now.get(task, {}).items():
            if found != before[task][split]:
                note = (
                    f"The {split} images of {task} changed before stage {number} went on: scores "
                    "from before and after do not compare."
                )
                changes.append({"stage": number, "task": task, "split": split, "note": note})
    return changes


def first_stage(manifest: dict[str, Any]) -> dict[str, Any]:
    """What decides a run's first stage, by what to call it, from its manifest."""
    config = manifest["config"]
    task = config["stages"][0]["task"]
    model = {k: v for k, v in config["model"].items() if k != "frozen_blocks"}
    settings = {k: v for k, v in config.items() if k not in (*VARIED, "preset")}
    return {
        "the first stage's settings": config["stages"][0],
        "the run's settings": {**settings, "model": model},
        "the images": manifest["data_fingerprint"][task],
        "the backbone's first weights": manifest["initial_weights"],
        "the class names": manifest["class_names"],
    }


def with_statistics(config: RunConfig, provenance: dict[str, str]) -> RunConfig:
    """The config with the input statistics that the backbone's weights name, if they name any.

    Raises:
        InputError: they are not three numbers each.
    """
    found = {}
    for field in ("mean", "std"):
        if f"input_{field}" in provenance:
            try:
                values = tuple(float(v) for v in provenance[f"input_{field}"].split(","))
            except ValueError:
                values = ()
            if len(values) != 3:
                raise InputError(
                    f"The backbone's weights name an input_{field} of "
                    f"{provenance[f'input_{field}']!r}: expected three numbers."
                )
            found[field] = values
    return replace(config, model=replace(config.model, **found))  # type: ignore[arg-type]
