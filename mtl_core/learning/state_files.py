"""What a resume reads: files that say themselves whether they are whole, and one writer a run."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from safetensors import safe_open
from safetensors.numpy import save
from torch import Tensor

from mtl_core.runs.checkpoint import weights_digest
from mtl_core.types import InputError

LAST = "resume.safetensors"  # where a run goes on
PREVIOUS = ".previous"  # ending of the state before the last one


def start_of(number: int) -> str:
    """The file of what a stage starts from."""
    return f"start{number}.safetensors"


def further_of(number: int) -> str:
    """The file of what another run made of a stage that is trained further."""
    return f"further{number}.safetensors"


def write_state(path: Path, content: Any) -> None:
    """Tensors and plain values under their checksum; the file before it is kept beside it.

    Args:
        path: a safetensors file, whose header holds all that is no tensor as JSON.
        content: tensors, plain values, and lists and dictionaries of them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, np.ndarray] = {}
    plain = json.dumps(_without_tensors(content, tensors))
    payload = save(tensors, {"content": plain, "sha256": _digest(plain, tensors)})
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(payload)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        os.replace(path, path.with_name(path.name + PREVIOUS))
    os.replace(part, path)


def read_state(path: Path, device: torch.device) -> Any:
    """The inverse of write_state, with its tensors on a device.

    Raises:
        InputError: the file is missing, or its bytes are not those that were written.
    """
    if not path.is_file():
        raise InputError(f"{path} cannot be read: expected a file.")
    try:
        with safe_open(path, "np") as file:
            header = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        whole = header["sha256"] == _digest(header["content"], tensors)
    except Exception as error:  # safetensors raises its own type for every kind of damage
        raise InputError(f"{path} is damaged: it is no state of a run.") from error
    if not whole:
        raise InputError(f"{path} is damaged: its checksum is another.")
    return _with_tensors(json.loads(header["content"]), tensors, device)


def _digest(plain: str, tensors: dict[str, np.ndarray]) -> str:
    return hashlib.sha256((plain + weights_digest(tensors)).encode()).hexdigest()


def _without_tensors(content: Any, tensors: dict[str, np.ndarray]) -> Any:
    """Content as JSON; its tensors go into ``tensors``. Keys of dictionaries may be numbers."""
    if isinstance(content, Tensor):
        name = str(len(tensors))
        tensors[name] = content.detach().cpu().contiguous().numpy()
        return {"tensor": name, "channels_last": _is_channels_last(content)}
    if isinstance(content, dict):
        return {"dict": [[k, _without_tensors(v, tensors)] for k, v in content.items()]}
    if isinstance(content, (list, tuple)):
        return [_without_tensors(value, tensors) for value in content]
    return content


def _with_tensors(content: Any, tensors: dict[str, np.ndarray], device: torch.device) -> Any:
    if isinstance(content, list):
        return [_with_tensors(value, tensors, device) for value in content]
    if not isinstance(content, dict):
        return content
    if "dict" in content:
        return {k: _with_tensors(v, tensors, device) for k, v in content["dict"]}
    tensor = torch.from_numpy(tensors[content["tensor"]]).to(device)
    layout = torch.channels_last if content["channels_last"] else torch.contiguous_format
    return tensor.contiguous(memory_format=layout)


def _is_channels_last(tensor: Tensor) -> bool:
    """Whether a tensor lies so in memory: what is computed on goes on bit for bit the same."""
    return (
        tensor.dim() == 4
        and not tensor.is_contiguous()
        and tensor.is_contiguous(memory_format=torch.channels_last)
    )


def has_state(out: Path) -> bool:
    """Whether a run can go on: between two moves only the state before the last one is there."""
    return any((out / "state" / name).is_file() for name in (LAST, LAST + PREVIOUS))


def last_state(out: Path, device: torch.device) -> Any:
    """Where a run goes on: its last whole state.

    Raises:
        InputError: there is none.
    """
    path = out / "state" / LAST
    before = path.with_name(path.name + PREVIOUS)
    if not has_state(out):
        raise InputError(
            f"{out} holds no state/{LAST}: there is nothing to --resume, expected a run that "
            "was stopped here."
        )
    try:
        return read_state(path, device)
    except InputError as error:
        if not before.exists():
            raise
        warnings.warn(f"{error} The state before it is taken.", stacklevel=2)
        return read_state(before, device)


class Writer:
    """Holds a run directory for one writing process.

    Args:
        out: the run directory; it must exist.

    Raises:
        InputError: another process writes there.
    """

    def __init__(self, out: Path) -> None:
        folder = out / "state"
        folder.mkdir(parents=True, exist_ok=True)
        named = folder / "writer"
        self.lock = FileLock(folder / "lock")
        try:
            self.lock.acquire(timeout=0)
        except Timeout as error:
            process = named.read_text() if named.is_file() else "unknown"
            raise InputError(
                f"{out} is being written by process {process}: expected a directory of its own, "
                "or that process to end."
            ) from error
        named.write_text(str(os.getpid()))

    def close(self) -> None:
        """Let others write."""
        self.lock.release()
