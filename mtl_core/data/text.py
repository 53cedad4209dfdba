"""Text of other people's files: encodings, names, and values that were written as text."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from pathlib import Path
from typing import Any

from mtl_core.types import InputError

_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
_FLAGS = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}


def read_text(path: Path, expected: str) -> str:
    """A file's text, in UTF-8 with or without a byte order mark.

    Raises:
        InputError: the file is missing or in another encoding; the sentence ends in ``expected``.
    """
    try:
        content = path.read_bytes()
        return content.decode("utf-8-sig")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise InputError(f"{path} is missing, expected {expected}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}), expected a file.") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path} cannot be read (line {line}: {error.reason}), expected text in UTF-8."
        ) from error


def load_json(path: Path, expected: str) -> Any:
    """The content of a json file.

    Raises:
        InputError: the file is missing or no json; the sentence ends in ``expected``.
    """
    text = read_text(path, expected)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}), expected {expected}.") from error


def composed(name: str) -> str:
    """A name in Unicode's composed form, so that names that look alike are alike."""
    return unicodedata.normalize("NFC", name)


def number(value: Any) -> float | None:
    """A finite number, also one that was written as text; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def whole(value: Any) -> int | None:
    """A whole number, also one written as text or with decimals of zero; None where it is none."""
    found = number(value)
    return int(found) if found is not None and found == int(found) else None


def flag(value: Any) -> bool | None:
    """A yes or no as flag, number or text; absent is no; None where it is neither."""
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str):
        return _FLAGS.get(value.strip().lower())
    found = number(value)
    return None if found is None else found != 0


def identity(value: Any) -> int | str | None:
    """An id by which records refer to each other; None where it is none.

    12, 12.0 and "12" are one id; any other text is an id as it stands.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    if isinstance(value, str):
        return int(value) if _WHOLE.fullmatch(value.strip()) else composed(value)
    return value
