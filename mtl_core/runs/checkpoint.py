"""A checkpoint's header, read without loading its weights or any network library."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from mtl_core.config import ModelConfig, model_from_dict
from mtl_core.old_names import KINDS
from mtl_core.types import UNSCALED, Acceptance, InputError, Kind, ScoreScale

FORMAT = "onehead-1"
MOST_CLASSES = 30_000  # of a task; each costs weights, also in a file that only claims it


@dataclass(frozen=True)
class CheckpointInfo:
    """A checkpoint's header.

    Attributes:
        model: the network's shape.
        class_names: names per task id, in index order and in the order of the output slices.
        stage: the stage after which it was written, from 1.
        kinds: of each task's answers, by which they are decoded and drawn.
        trained: ids of the tasks trained so far; others are still as they were initialised.
        score_scales: of the boxes' scores, per task that was calibrated.
        accepts: by task from where on an image counts as one of its classes, where that was fitted.
    """

    model: ModelConfig
    class_names: dict[str, list[str]]
    stage: int
    trained: list[str]
    kinds: dict[str, Kind]
    score_scales: dict[str, ScoreScale] = field(default_factory=dict)
    accepts: dict[str, Acceptance] = field(default_factory=dict)

    def score_scale(self, task: str) -> ScoreScale:
        """That of a task; neutral where it was not calibrated."""
        return self.score_scales.get(task, UNSCALED)


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
    if metadata.get("header_sha256", _digest(metadata)) != _digest(metadata):
        raise InputError(f"{path} is damaged: its header is not the one that was written.")
    if metadata.get("format") != FORMAT:
        raise InputError(
            f"{path} is not a stage checkpoint: expected format {FORMAT!r} in its header, "
            f"found {metadata.get('format')!r}."
        )
    try:
        class_names = json.loads(metadata["class_names"])
        kinds = json.loads(metadata["kinds"]) if "kinds" in metadata else dict(KINDS)
        kinds = {task: kinds[task] for task in class_names if task in kinds}
        scales = _score_scales(json.loads(metadata.get("score_scales", "{}")))
        accepts = {
            task: Acceptance(found["score"], float(found["least"]))
            for task, found in json.loads(metadata.get("accepts", "{}")).items()
        }
        for what, fits in (
            ("class names", all(map(_are_names, class_names.values()))),
            ("kinds", set(kinds.values()) <= set(get_args(Kind))),
            ("tasks", scales.keys() | accepts.keys() <= class_names.keys()),
        ):
            if not fits:
                raise ValueError(f"it holds strange {what}")
        return CheckpointInfo(
            model=model_from_dict(json.loads(metadata["model"])),
            class_names=class_names,
            stage=int(metadata["stage"]),
            # Before version 0.2 the key was "taught".
            trained=list(json.loads(metadata.get("trained", metadata.get("taught", "")))),
            kinds=kinds,
            score_scales=scales,
            accepts=accepts,
        )
    except (InputError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} has a damaged header ({error}).") from error


def _score_scales(content: dict[str, list[float]]) -> dict[str, ScoreScale]:
    scales = {task: (float(slope), float(shift)) for task, (slope, shift) in content.items()}
    for task, (slope, shift) in scales.items():
        if not (0 < slope < float("inf") and abs(shift) < float("inf")):
            raise ValueError(f"the score scale of {task} is no slope above 0 and a shift")
    return scales


def _are_names(names: Any) -> bool:
    return (
        isinstance(names, list)
        and 0 < len(names) <= MOST_CLASSES
        and all(isinstance(name, str) and len(name) < 1000 for name in names)
    )


def _digest(metadata: Mapping[str, str]) -> str:
    """SHA-256 of a header's entries, its own left out."""
    entries = sorted((key, text) for key, text in metadata.items() if key != "header_sha256")
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def weights_digest(state: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of names, types, shapes and bytes of a checkpoint's tensors."""
    digest = hashlib.sha256()
    for name in sorted(state):
        value = np.ascontiguousarray(state[name])
        digest.update(f"{name} {value.dtype} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """A checkpoint's tensors by name, as they were written.

    Raises:
        InputError: the file is damaged; one that was written before checksums were is believed.
    """
    try:
        with safe_open(path, "np") as file:
            digest = (file.metadata() or {}).get("weights_sha256")
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # safetensors raises its own type for every kind of damage
        raise InputError(f"{path} is not a readable safetensors file.") from error
    if digest is not None and digest != weights_digest(state):
        raise InputError(f"{path} is damaged: its weights are not those that were written.")
    return state


def write_checkpoint(path: Path, state: dict[str, np.ndarray], info: CheckpointInfo) -> None:
    """Write tensors and header, under a temporary name first."""
    metadata = {
        "format": FORMAT,
        "model": json.dumps(asdict(info.model)),
        "class_names": json.dumps(info.class_names),
        "stage": str(info.stage),
        "trained": json.dumps(info.trained),
        "kinds": json.dumps(info.kinds),
        "score_scales": json.dumps(info.score_scales),
        "accepts": json.dumps({task: asdict(a) for task, a in info.accepts.items()}),
        "weights_sha256": weights_digest(state),
    }
    metadata["header_sha256"] = _digest(metadata)
    temporary = path.with_name(path.name + ".part")
    save_file(state, temporary, metadata)
    os.replace(temporary, path)


def change_header(path: Path, **changes: Any) -> None:
    """Write a checkpoint anew with other values of CheckpointInfo; its weights stay as they are.

    Raises:
        InputError: as read_header and read_weights.
    """
    write_checkpoint(path, read_weights(path), replace(read_header(path), **changes))


def set_input_px(path: Path, input_px: int) -> None:
    """Let a checkpoint see images in another size; its weights stay as they are.

    Raises:
        InputError: as read_header, or the size is no multiple of 32.
    """
    change_header(path, model=replace(read_header(path).model, input_px=input_px))
