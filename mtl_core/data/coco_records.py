"""The records of a COCO annotation file, one by one: what is wrong with one spares the others.

Format: https://cocodataset.org/#format-data (object detection).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mtl_core.data.text import composed, identity, load_json, whole
from mtl_core.types import InputError

T = TypeVar("T")
Id = int | str


def load_coco(annotations: Path) -> dict[str, Any]:
    """The content of a COCO annotation file, as yet unchecked but for its three lists.

    Raises:
        InputError: the file is missing, no json, or lacks a list.
    """
    content: dict[str, Any] = load_json(annotations, "a COCO annotation file")
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise InputError(f'{annotations} has no list "{key}", expected a COCO annotation file.')
    return content


def all_of(records: list[Any], parse: Callable[[Any], T], faults: list[str]) -> list[T]:
    """What ``parse`` makes of each record; its errors become faults."""
    parsed = []
    for record in records:
        try:
            parsed.append(parse(record))
        except InputError as error:
            faults.append(str(error))
    return parsed


def value_of(
    record: Any, key: str, reads: Callable[[Any], Any], what: str, annotations: Path
) -> Any:
    """What ``reads`` makes of a record's entry.

    Raises:
        InputError: it makes nothing of it.
    """
    value = reads(record.get(key)) if isinstance(record, dict) else None
    if value is None:
        shown = record.get("id", "") if isinstance(record, dict) else record
        raise InputError(
            f'{annotations}: {what} {shown} has no usable "{key}", expected {_KIND_WORDS[reads]}.'
        )
    return value


def a_name(value: Any) -> str | None:
    """A text that is not empty; None where it is none."""
    return composed(value) if isinstance(value, str) and value else None


_KIND_WORDS: dict[Callable[[Any], Any], str] = {
    whole: "a whole number",
    identity: "a whole number or a text",
    a_name: "a text",
}


def refuse_repeats(values: list[Any], what: str, annotations: Path, faults: list[str]) -> None:
    """A fault for every value that stands there twice."""
    seen = set()
    for value in values:
        if value in seen:
            faults.append(f'{annotations} lists the {what} "{value}" twice, expected once.')
        seen.add(value)
