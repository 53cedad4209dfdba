"""Boxes from a COCO annotation file, checked against the images beside it.

Format: https://cocodataset.org/#format-data (object detection).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core.data.splits import DetItem
from mtl_core.types import InputError


def read_coco(annotations: Path, folder: Path, images: list[Path]) -> tuple[list[str], list]:
    """Class names and items of a COCO annotation file.

    Classes are indexed by ascending category id, and known by name from there on: ids have gaps
    and other files number them otherwise. Boxes are clipped to their image.

    Args:
        annotations: the json file.
        folder: the folder that its file names are relative to.
        images: the images that stand in the folder.

    Returns:
        The class names and a list of ``DetItem``, ordered by file name.

    Raises:
        InputError: the file is missing or malformed, refers to a category or image that does
            not exist, a box has no area inside its image, or the folder holds an image that
            the file does not know.
    """
    content = load_coco(annotations)
    class_names, index_of_category = _categories(content["categories"], annotations)
    boxes_of_image: dict[int, list] = {}
    listed = _images(content["images"], annotations)
    for record in content["annotations"]:
        image_id, box = _box(record, listed, index_of_category, annotations)
        boxes_of_image.setdefault(image_id, []).append(box)

    _check_listed_and_present(listed.values(), {p.name for p in images}, annotations, folder)
    items = []
    for image_id, image in sorted(listed.items(), key=lambda pair: pair[1]["file_name"]):
        rows = boxes_of_image.get(image_id, [])
        items.append(
            DetItem(
                image=folder / image["file_name"],
                image_id=image_id,
                width=image["width"],
                height=image["height"],
                boxes_xyxy_px=np.array([r[0] for r in rows], np.float32).reshape(-1, 4),
                labels=np.array([r[1] for r in rows], np.int64),
                crowd=np.array([r[2] for r in rows], bool),
            )
        )
    return class_names, items


def load_coco(annotations: Path) -> dict:
    """The content of a COCO annotation file, as yet unchecked but for its three lists.

    Raises:
        InputError: the file is missing, no json, or lacks a list.
    """
    content = load_json(annotations, "a COCO annotation file")
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise InputError(f'{annotations} has no list "{key}", expected a COCO annotation file.')
    return content


def load_json(path: Path, expected: str) -> Any:
    """The content of a json file.

    Raises:
        InputError: the file is missing or no json; the sentence ends in ``expected``.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise InputError(f"{path} is missing, expected {expected}.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid JSON ({error}), expected {expected}.") from error


def clip_xywh(bbox: Iterable[float], width: int, height: int) -> tuple[float, float, float, float]:
    """A COCO box (left, top, width, height) as left, top, right, bottom inside the image."""
    x, y, w, h = bbox
    left, right = (min(max(v, 0.0), float(width)) for v in (x, x + w))
    top, bottom = (min(max(v, 0.0), float(height)) for v in (y, y + h))
    return left, top, right, bottom


def _categories(records: list, annotations: Path) -> tuple[list[str], dict[int, int]]:
    if not records:
        raise InputError(f"{annotations} lists no categories, expected at least one.")
    for record in records:
        _require(record, {"id": int, "name": str}, "category", annotations)
    ordered = sorted(records, key=lambda record: record["id"])
    names = [record["name"] for record in ordered]
    ids = [record["id"] for record in ordered]
    for what, values in (("name", names), ("id", ids)):
        _refuse_repeats(values, f"category {what}", annotations)
    return names, {category_id: index for index, category_id in enumerate(ids)}


def _images(records: list, annotations: Path) -> dict[int, dict]:
    for record in records:
        keys = {"id": int, "file_name": str, "width": int, "height": int}
        _require(record, keys, "image", annotations)
        if Path(record["file_name"]).name != record["file_name"]:
            raise InputError(
                f'{annotations} lists the image "{record["file_name"]}", '
                "expected a plain file name without folders."
            )
        if record["width"] < 1 or record["height"] < 1:
            raise InputError(
                f"{annotations} gives {record['file_name']} the size {record['width']} x "
                f"{record['height']}, expected at least one pixel each way."
            )
    _refuse_repeats([r["id"] for r in records], "image id", annotations)
    _refuse_repeats([r["file_name"] for r in records], "image", annotations)
    return {record["id"]: record for record in records}


def _box(
    record: Any, images: dict[int, dict], index_of_category: dict[int, int], annotations: Path
) -> tuple[int, tuple[tuple[float, float, float, float], int, bool]]:
    keys = {"id": int, "image_id": int, "category_id": int, "bbox": list}
    _require(record, keys, "annotation", annotations)
    which = f"{annotations}: annotation {record['id']}"
    if record["image_id"] not in images:
        raise InputError(
            f"{which} belongs to image id {record['image_id']}, "
            "expected the id of an image that the file lists."
        )
    if record["category_id"] not in index_of_category:
        raise InputError(
            f"{which} has the unknown category id {record['category_id']}, "
            f"expected one of {sorted(index_of_category)}."
        )
    bbox, image = record["bbox"], images[record["image_id"]]
    if len(bbox) != 4 or not all(_is_finite_number(value) for value in bbox):
        raise InputError(f"{which} has the box {bbox}, expected four numbers x, y, width, height.")
    box = clip_xywh(bbox, image["width"], image["height"])
    if box[2] <= box[0] or box[3] <= box[1]:
        raise InputError(
            f"{which} has the box {bbox} with no area inside {image['file_name']} "
            f"({image['width']} x {image['height']}), expected a positive width and height there."
        )
    label = index_of_category[record["category_id"]]
    return record["image_id"], (box, label, bool(record.get("iscrowd", 0)))


def _check_listed_and_present(
    images: Iterable[dict], present: set[str], annotations: Path, folder: Path
) -> None:
    listed = {image["file_name"] for image in images}
    for name in sorted(listed - present):
        raise InputError(f"{folder / name} is missing, expected because {annotations} lists it.")
    for name in sorted(present - listed):
        raise InputError(
            f"{folder / name} is not listed in {annotations}, "
            "expected an entry for every image of the folder."
        )


def _require(record: Any, keys: dict[str, type], what: str, annotations: Path) -> None:
    for key, kind in keys.items():
        if not isinstance(record, dict) or not isinstance(record.get(key), kind):
            number = record.get("id", "") if isinstance(record, dict) else record
            raise InputError(
                f'{annotations}: {what} {number} has no usable "{key}", '
                f"expected {_KIND_WORDS[kind]}."
            )


_KIND_WORDS = {int: "a whole number", str: "a text", list: "a list"}


def _refuse_repeats(values: list, what: str, annotations: Path) -> None:
    seen = set()
    for value in values:
        if value in seen:
            raise InputError(f'{annotations} lists the {what} "{value}" twice, expected once.')
        seen.add(value)


def _is_finite_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
