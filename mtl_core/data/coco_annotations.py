"""Boxes from a COCO annotation file, checked against the images beside it.

Format: https://cocodataset.org/#format-data (object detection).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core.data.coco_images import ListedImage, listed_images
from mtl_core.data.coco_records import Id, a_name, all_of, load_coco, refuse_repeats, value_of
from mtl_core.data.folders import ROBOFLOW_ANNOTATIONS, differently_named, images_in, split_folder
from mtl_core.data.run_lengths import box_of_runs
from mtl_core.data.splits import DataFaults, DetItem, Split
from mtl_core.data.text import composed, flag, identity, number, whole
from mtl_core.types import InputError

Row = tuple[Id, tuple[float, float, float, float], Id, bool, bool]
OVERHANG_PX = 2.0  # labelling tools round; more than that over the edge is worth counting


def read_box_folder(root: Path, split: str) -> Split:
    """A split of images with a COCO annotation file.

    The file is ``annotations/instances_<split>.json``, or Roboflow's beside the images. Classes
    are indexed by ascending category id, and known by name from there on: ids have gaps and other
    files number them otherwise. Categories that no file of the set has a box of are left out.
    Boxes are clipped to their image; where there is none it is that of the polygons or run lengths.

    Raises:
        InputError: the file is missing or malformed, refers to a category or image that does
            not exist, a box has no area inside its image, or the folder holds an image that
            the file does not know; ``DataFaults`` if it is several.
    """
    folder = split_folder(root, split)
    annotations = _annotation_file(root, folder, split)
    content = load_coco(annotations)
    faults: list[str] = []
    present = differently_named(images_in(folder, faults), faults)
    sizes = listed_images(content["images"], annotations, folder, present, faults)
    categories = _categories(content["categories"], annotations, faults)

    listed = {identity(r.get("id")) for r in content["images"] if isinstance(r, dict)}

    def parse(record: Any) -> Row | None:
        image_id = value_of(record, "image_id", identity, "annotation", annotations)
        if image_id in listed and image_id not in sizes:
            return None  # of an image that is a fault already
        return _box(record, image_id, sizes, categories, annotations)

    rows = [row for row in all_of(content["annotations"], parse, faults) if row]
    kept, notes = _used(categories, {row[2] for row in rows}, root, annotations, faults)
    items = _items(sizes, rows, {category: index for index, category in enumerate(kept)})
    found = Split([categories[c] for c in kept], items, split, annotations, notes=notes)
    if faults:
        raise DataFaults(faults, found if items else None)
    return found


def clip_xywh(bbox: Iterable[float], width: int, height: int) -> tuple[float, float, float, float]:
    """A COCO box (left, top, width, height) as left, top, right, bottom inside the image."""
    x, y, w, h = bbox
    left, right = (min(max(v, 0.0), float(width)) for v in (x, x + w))
    top, bottom = (min(max(v, 0.0), float(height)) for v in (y, y + h))
    return left, top, right, bottom


def _annotation_file(root: Path, folder: Path, split: str) -> Path:
    usual = root / "annotations" / f"instances_{split}.json"
    others = (root / "annotations" / f"instances_{folder.name}.json", folder / ROBOFLOW_ANNOTATIONS)
    return next((path for path in (usual, *others) if path.is_file()), usual)


def _categories(records: list[Any], annotations: Path, faults: list[str]) -> dict[Id, str]:
    """Names by id, in ascending order of the ids, texts last."""
    if not records:
        faults.append(f"{annotations} lists no categories, expected at least one.")

    def parse(record: Any) -> tuple[Id, str]:
        category = value_of(record, "id", identity, "category", annotations)
        return category, value_of(record, "name", a_name, "category", annotations)

    pairs = all_of(records, parse, faults)
    refuse_repeats([category for category, _ in pairs], "category id", annotations, faults)
    return dict(sorted(pairs, key=lambda pair: (isinstance(pair[0], str), pair[0])))


def _used(
    categories: dict[Id, str], used: set[Id], root: Path, annotations: Path, faults: list[str]
) -> tuple[list[Id], tuple[str, ...]]:
    """Ids of the categories that are classes, and a remark on those that are not."""
    elsewhere: set[str] | None = None
    taken = {categories[category] for category in used}
    kept, left_out = [], []
    for category, name in categories.items():
        if category not in used:
            if elsewhere is None and name not in taken:
                elsewhere = _names_with_boxes(root, annotations)
            if name in taken or name not in (elsewhere or ()):
                left_out += [name] if name not in taken else []
                continue
            taken.add(name)
        kept.append(category)
    refuse_repeats([categories[c] for c in kept], "category name", annotations, faults)
    shown = ", ".join(left_out)
    note = f"{annotations} has no box of {shown}, nor has another file of the set: left out."
    return kept, (note,) if left_out else ()


def _names_with_boxes(root: Path, annotations: Path) -> set[str]:
    """Names of the categories that the set's other annotation files have boxes of."""
    files = {*root.glob("annotations/instances_*.json"), *root.glob(f"*/{ROBOFLOW_ANNOTATIONS}")}
    names = set()
    for path in files - {annotations}:
        try:
            content = load_coco(path)
            used = {identity(record.get("category_id")) for record in content["annotations"]}
            records = content["categories"]
            names |= {composed(r["name"]) for r in records if identity(r.get("id")) in used}
        except (InputError, AttributeError, KeyError, TypeError):
            continue  # a fault when that file's own split is read
    return names


def _box(
    record: dict[str, Any],
    image_id: Id,
    images: dict[Id, ListedImage],
    categories: dict[Id, str],
    annotations: Path,
) -> Row:
    shown_id = record.get("id")
    which = f"{annotations}: annotation {shown_id}"
    category = value_of(record, "category_id", identity, "annotation", annotations)
    if image_id not in images:
        raise InputError(
            f"{which} belongs to image id {image_id}, "
            "expected the id of an image that the file lists."
        )
    if category not in categories:
        raise InputError(
            f"{which} has the unknown category id {category}, expected one of {[*categories]}."
        )
    image = images[image_id]
    bbox = record.get("bbox")
    given = bbox
    if not bbox and record.get("segmentation"):
        bbox = given = _outline(record["segmentation"], image, which)
    if not isinstance(bbox, list):
        raise InputError(
            f'{annotations}: annotation {shown_id} has no usable "bbox", expected a list.'
        )
    bbox = [number(value) for value in bbox]
    if len(bbox) != 4 or None in bbox:
        raise InputError(f"{which} has the box {given}, expected four numbers x, y, width, height.")
    box = clip_xywh(bbox, image.width, image.height)
    if box[2] <= box[0] or box[3] <= box[1]:
        raise InputError(
            f"{which} has the box {given} with no area inside {image.name} "
            f"({image.width} x {image.height}), expected a positive width and height there."
        )
    over = max(bbox[0] + bbox[2] - image.width, bbox[1] + bbox[3] - image.height, -min(bbox[:2]))
    crowd = flag(record.get("iscrowd"))
    if crowd is None:
        raise InputError(f'{which} has the "iscrowd" {record["iscrowd"]!r}, expected 0 or 1.')
    return image_id, box, category, crowd, over > OVERHANG_PX


def _outline(segmentation: Any, image: ListedImage, which: str) -> list[float]:
    """The box (left, top, width, height) of an object's polygons or run lengths."""
    if isinstance(segmentation, list):
        polygons = [p for p in segmentation if isinstance(p, list)] or [segmentation]
        values = [number(v) for polygon in polygons for v in polygon]
        if values and None not in values and all(len(polygon) % 2 == 0 for polygon in polygons):
            points = np.array(values, float).reshape(-1, 2)
            (left, top), (right, bottom) = points.min(0), points.max(0)
            return [float(v) for v in (left, top, right - left, bottom - top)]
    elif isinstance(segmentation, dict):
        size = segmentation.get("size")
        if isinstance(size, list) and [whole(v) for v in size] == [image.height, image.width]:
            with suppress(ValueError):  # an error below
                return box_of_runs(segmentation.get("counts"), image.height, image.width)
    raise InputError(
        f'{which} has no "bbox" and an unusable "segmentation", expected a box, polygons of x and '
        f"y, or run lengths of size [{image.height}, {image.width}]."
    )


def _items(
    images: dict[Id, ListedImage], rows: list[Row], index_of_category: dict[Id, int]
) -> list[DetItem]:
    rows_of: dict[Id, list[Row]] = {}
    for row in rows:
        rows_of.setdefault(row[0], []).append(row)
    # pycocotools wants numbers that NumPy can hold.
    numbers = all(isinstance(i, int) and abs(i) < 2**63 for i in images)
    items = []
    for place, (image_id, image) in enumerate(sorted(images.items(), key=lambda p: p[1].name)):
        own = rows_of.get(image_id, [])
        items.append(
            DetItem(
                image=image.path,
                image_id=int(image_id) if numbers else place + 1,
                width=image.width,
                height=image.height,
                boxes_xyxy_px=np.array([row[1] for row in own], np.float32).reshape(-1, 4),
                labels=np.array([index_of_category[row[2]] for row in own], np.int64),
                crowd=np.array([row[3] for row in own], bool),
                overhanging=sum(row[4] for row in own),
            )
        )
    return items
