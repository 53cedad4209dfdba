"""Checkpoints as a stranger might have changed them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file


def rewrite(path: Path, state: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    """Moved into place at the end: what was loaded may still read from the old file."""
    save_file(state, path.with_suffix(".new"), metadata)
    os.replace(path.with_suffix(".new"), path)


def reheaded(**changes: str) -> Callable[[Path], None]:
    """The same weights under a changed header."""

    def apply(path: Path) -> None:
        with safe_open(path, "pt") as file:
            metadata = dict(file.metadata())
        metadata.pop("header_sha256")  # else the checksum is what is noticed
        rewrite(path, load_file(path), metadata | changes)

    return apply


def reweighed(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    """Changed weights under the same header."""

    def apply(path: Path) -> None:
        with safe_open(path, "pt") as file:
            metadata = dict(file.metadata())
        state = {name: value.clone() for name, value in load_file(path).items()}
        change(state)
        for checksum in ("weights_sha256", "header_sha256"):  # else these are what is noticed
            metadata.pop(checksum)
        rewrite(path, state, metadata)

    return apply
