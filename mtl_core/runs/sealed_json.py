"""JSON objects that say themselves whether they are whole: files of a run, and lines of them.

A seal is an entry ``sha256``: the beginning of the hash of all the other entries. What has none,
as files of other programs and of older versions, is believed.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from mtl_core.types import InputError

SEAL = "sha256"
MOST_BYTES = 64 * 2**20  # a run's largest JSON file has a few MB; a stranger's may have any size


def write_json(path: Path, content: Any) -> None:
    """Write JSON under a temporary name, then move it into place, so no reader sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """The same with its seal."""
    # Through JSON: tuples become lists, and numbers as keys become text.
    plain = json.loads(json.dumps({k: v for k, v in content.items() if k != SEAL}))
    return {**plain, SEAL: _digest(plain)}


def write_sealed(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object with its seal, as ``write_json`` does."""
    write_json(path, sealed(content))


def read_sealed(path: Path, fault: str) -> dict[str, Any]:
    """What ``write_sealed`` wrote, without its seal, or any other JSON object.

    Args:
        path: the file.
        fault: the sentence for what is no JSON object.

    Raises:
        InputError: it is too large, no JSON object, or not what was sealed.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} has more than {MOST_BYTES // 2**20} MB: expected less.")
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): expected a file.") from error
    return unsealed(text, fault, f"{path} is damaged: it does not fit its {SEAL}, which must go if "
                    "the file was changed on purpose.")  # fmt: skip


def unsealed(text: bytes, fault: str, damaged: str) -> dict[str, Any]:
    """A JSON object without its seal.

    Args:
        text: its bytes.
        fault: the sentence for what is no JSON object.
        damaged: the sentence for what is not what was sealed.

    Raises:
        InputError: as they say.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:  # no JSON, or not even text
        raise InputError(fault) from error
    if not isinstance(content, dict):
        raise InputError(fault)
    seal = content.pop(SEAL, None)
    if seal is not None and seal != _digest(content):
        raise InputError(damaged)
    return content


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
