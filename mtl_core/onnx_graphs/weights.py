"""A checkpoint's weights as a graph takes them, read without PyTorch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mtl_core.runs import checkpoint as runs_checkpoint
from mtl_core.types import InputError

Weights = dict[str, np.ndarray]


def file_sha256(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_weights(checkpoint: Path, shapes: Mapping[str, Sequence[int]]) -> Weights:
    """Some of a checkpoint's tensors by name, in the type in which they are stored.

    Args:
        checkpoint: a stage checkpoint (.safetensors).
        shapes: what is read, and the shape that each must have.

    Raises:
        InputError: the file is damaged, or a tensor is missing or has another shape.
    """
    stored = runs_checkpoint.read_weights(checkpoint)
    try:
        found = {name: stored[name] for name in shapes}
    except KeyError as error:
        raise InputError(f"{checkpoint} holds weights that do not fit its own header.") from error
    if not all(
        value.shape == tuple(shapes[name]) and value.dtype.kind == "f"
        for name, value in found.items()
    ):
        raise InputError(f"{checkpoint} holds weights that do not fit its own header.")
    return found


def in_float32(stored: Weights, checkpoint: Path) -> Weights:
    """What was read of a checkpoint, as graphs take it.

    Raises:
        InputError: the weights are not finite.
    """
    found = {name: value.astype(np.float32) for name, value in stored.items()}
    if not all(np.isfinite(value).all() for value in found.values()):
        raise InputError(f"{checkpoint} holds weights that are not finite.")
    return found
