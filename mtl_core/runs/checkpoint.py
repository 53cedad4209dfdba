"""A checkpoint's header, read without loading its weights or any network library."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

from mtl_core.config import ModelConfig, model_from_dict
from mtl_core.old_names import KINDS
from mtl_core.types import InputError, Kind

FORMAT = "onehead-1"


@dataclass(frozen=True)
class CheckpointInfo:
    """A checkpoint's header.

    Attributes:
        model: the network's shape.
        class_names: names per task id, in index order and in the order of the output slices.
        stage: the stage after which it was written, from 1.
        kinds: of each task's answers, by which they are decoded and drawn.
        trained: ids of the tasks trained so far; others are still as they were initialised.
    """

    model: ModelConfig
    class_names: dict[str, list[str]]
    stage: int
    trained: list[str]
    kinds: dict[str, Kind]


def read_header(path: Path) -> CheckpointInfo:
    """Read only the header.

    Raises:
        InputError: the file is missing, damaged or not one of ours.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist: expected a stage checkpoint (.safetensors).")
    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
    except Exception as error:  # safetensors raises its own type for every kind of damage
        raise InputError(f"{path} is not a readable safetensors file.") from error
    if metadata.get("format") != FORMAT:
        raise InputError(
            f"{path} is not a stage checkpoint: expected format {FORMAT!r} in its header, "
            f"found {metadata.get('format')!r}."
        )
    try:
        class_names = json.loads(metadata["class_names"])
        kinds = json.loads(metadata["kinds"]) if "kinds" in metadata else dict(KINDS)
        return CheckpointInfo(
            model=model_from_dict(json.loads(metadata["model"])),
            class_names={task: list(names) for task, names in class_names.items()},
            stage=int(metadata["stage"]),
            # Before version 0.2 the key was "taught".
            trained=list(json.loads(metadata.get("trained", metadata.get("taught", "")))),
            kinds={task: kinds[task] for task in class_names},
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} has a damaged header ({error}).") from error
