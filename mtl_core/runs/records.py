"""The scores of a run, one sealed JSON object a line, appended while it is trained."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pandas as pd

from mtl_core.old_names import SCOPES
from mtl_core.runs.sealed_json import MOST_BYTES, sealed, unsealed
from mtl_core.types import InputError

LOG = logging.getLogger(__name__)
RECORD_COLUMNS = ["stage", "step", "epoch", "task", "metric", "value", "n", "scope"]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The lines of records.jsonl; none where there is no file.

    A last line that ends in the middle, as a training leaves it that is being written or was
    killed, is passed over with a warning.

    Raises:
        InputError: another line is not a JSON object, or not what was written.
    """
    if not path.is_file():
        return []
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path} has more than {MOST_BYTES // 2**20} MB: expected less.")
    content = path.read_bytes()
    rows, lines = [], content.splitlines()
    for number, line in enumerate(lines, start=1):
        place = f"{path}, line {number}"
        fault = f"{place}: expected one JSON object a line."
        try:
            rows.append(unsealed(line, fault, f"{place} is damaged: it does not fit its sha256."))
        except InputError:
            if number < len(lines) or content.endswith(b"\n"):
                raise
            LOG.warning("%s ends in the middle and is passed over.", place)
    return rows


def read_records(path: Path) -> pd.DataFrame:
    """Read records.jsonl; an absent file is an empty frame with the same columns.

    Raises:
        InputError: as ``read_rows``.
    """
    frame = pd.DataFrame(read_rows(path))
    for column in RECORD_COLUMNS:
        if column not in frame:
            frame[column] = pd.Series(dtype="object")
    frame["scope"] = frame["scope"].replace(SCOPES)
    return frame


def append_records(path: Path, rows: list[dict[str, Any]]) -> None:
    """Append one line per evaluation."""
    with path.open("a", encoding="utf-8") as file:
        file.write(_lines(rows))


def write_records(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write all lines anew, under a temporary name first."""
    part = path.with_name(path.name + ".part")
    part.write_text(_lines(rows), encoding="utf-8")
    os.replace(part, path)


def _lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(sealed(row), ensure_ascii=False) + "\n" for row in rows)
