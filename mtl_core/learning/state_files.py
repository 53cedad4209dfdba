"""What a resume reads: files that say themselves whether they are whole, and one writer a run."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from mtl_core.types import InputError

PREVIOUS = ".previous"  # ending of the state before the last one


def write_state(path: Path, content: Any) -> None:
    """Tensors and plain values under their checksum; the file before it is kept beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    payload = buffer.getvalue()
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
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
    try:
        digest, _, payload = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from error
    if hashlib.sha256(payload).hexdigest().encode() != digest:
        raise InputError(f"{path} is damaged: its checksum is another.")
    return torch.load(io.BytesIO(payload), map_location=device, weights_only=True)


def last_state(out: Path, device: torch.device) -> Any:
    """Where a run goes on: its last whole state.

    Raises:
        InputError: there is none.
    """
    path = out / "state" / "resume.pt"
    before = path.with_name(path.name + PREVIOUS)
    # A process that ends between two moves leaves the state before alone.
    if not path.exists() and not before.exists():
        raise InputError(
            f"{out} holds no state/resume.pt: there is nothing to --resume, expected a run that "
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
