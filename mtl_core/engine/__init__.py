"""Engines that run checkpoints, and networks in memory."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_core.engine.base import Engine
from mtl_core.types import InputError

if TYPE_CHECKING:
    from mtl_core.engine.stage_bank import StageBank
    from mtl_core.model.network import UnifiedVisionSystem

LOG = logging.getLogger(__name__)
KINDS = ("auto", "onnx", "torch")
NVIDIA_DEVICE = Path("/dev/nvidia0")


def open_engine(source: str | Path | UnifiedVisionSystem, kind: str = "auto") -> Engine:
    """Open a network with an engine of the given kind.

    Args:
        source: a stage checkpoint (.safetensors), or a network in memory, which runs in PyTorch
            where it is.
        kind: ``"torch"`` is the reference, ``"onnx"`` about three times as fast on a CPU;
            ``"auto"`` takes PyTorch where it finds a GPU that it can use, else onnxruntime.

    Raises:
        InputError: the kind is unknown or cannot run the source, or the file is not a usable
            checkpoint.
    """
    if kind not in KINDS:
        raise InputError(f"Engine {kind!r} is unknown: expected one of {', '.join(KINDS)}.")
    if not isinstance(source, (str, Path)):
        if kind == "onnx":
            raise InputError(
                'Engine "onnx" runs checkpoints: expected a path, or kind "torch" for a network.'
            )
        from mtl_core.engine.torch_engine import TorchEngine

        return TorchEngine(source)
    path = Path(source)
    # Each is imported where it is chosen: torch takes seconds, and onnxruntime does without it.
    if kind == "torch":
        from mtl_core.engine.torch_engine import TorchEngine

        return TorchEngine(path)
    if kind == "auto" and NVIDIA_DEVICE.exists():
        import torch

        from mtl_core.engine.torch_engine import TorchEngine

        if torch.cuda.is_available():
            return TorchEngine(path, "cuda")
    from mtl_core.engine.onnx_engine import OnnxEngine

    try:
        return OnnxEngine(path)
    except RuntimeError as error:
        if kind == "onnx":
            raise
        LOG.warning("%s runs in PyTorch: %s", path, error)
        from mtl_core.engine.torch_engine import TorchEngine

        return TorchEngine(path)


def open_bank(paths: Sequence[str | Path]) -> StageBank | None:
    """All checkpoints of a run behind one backbone, or None where each must run by itself.

    That is so where PyTorch would run them (see ``open_engine``).

    Raises:
        InputError: a file is not a usable checkpoint.
    """
    if NVIDIA_DEVICE.exists():
        import torch

        if torch.cuda.is_available():
            return None
    from mtl_core.engine.stage_bank import StageBank

    try:
        return StageBank(paths)
    except RuntimeError as error:
        LOG.warning("Every stage runs by itself: %s", error)
        return None


__all__ = ["Engine", "open_bank", "open_engine"]
