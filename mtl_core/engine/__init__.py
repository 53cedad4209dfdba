"""Engines that run checkpoints."""

from __future__ import annotations

from pathlib import Path

from mtl_core.engine.base import Engine
from mtl_core.types import InputError

KINDS = ("torch",)


def open_engine(path: str | Path, kind: str = "torch") -> Engine:
    """Open a checkpoint with an engine of the given kind.

    Raises:
        InputError: the kind is unknown, or the file is not a usable checkpoint.
    """
    if kind not in KINDS:
        raise InputError(f"Engine {kind!r} is unknown: expected one of {', '.join(KINDS)}.")
    from mtl_core.engine.torch_engine import TorchEngine  # torch takes seconds to import

    return TorchEngine(path)


__all__ = ["Engine", "open_engine"]
