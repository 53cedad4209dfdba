"""What a split is made of: one small record per image, with its label or where to read it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core.data.text import composed
from mtl_core.types import InputError

VOID = 255  # mask pixels that no class claims: neither trained nor measured

# Share of a split that goes to its ":tune" part. Recipes are chosen there, never on val.
TUNE_SHARE = 0.15


@dataclass(frozen=True)
class SegItem:
    """An image and the mask of class ids that belongs to it.

    Attributes:
        image: the file.
        mask: the file.
        colours: class id of each red, green, blue, where masks are painted; 255 is void.
    """

    image: Path
    mask: Path
    colours: dict[tuple[int, int, int], int] | None = None


@dataclass(frozen=True, eq=False)
class DetItem:
    """An image and its boxes.

    Attributes:
        image: the file.
        image_id: the annotation file's id of the image, or its place where ids are no numbers.
        width: pixels, as the annotation file states it.
        height: pixels, as the annotation file states it.
        boxes_xyxy_px: N x 4 float32, left, top, right, bottom, inside the image.
        labels: N int64, indices into the split's ``class_names``.
        crowd: N bool, True where a box stands for a group rather than for one object.
        overhanging: how many of the boxes reached over the image's edge before they were clipped.
    """

    image: Path
    image_id: int
    width: int
    height: int
    boxes_xyxy_px: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    overhanging: int = 0


@dataclass(frozen=True)
class ClsItem:
    """An image and the index of its class."""

    image: Path
    label: int


@dataclass(frozen=True)
class Split:
    """One task's images of one split.

    Attributes:
        class_names: names in label order; of masks index 0 is the background.
        items: ``SegItem``, ``DetItem`` or ``ClsItem`` in a fixed order.
        name: what was asked for, such as ``"val"`` or ``"train:fit"``.
        annotations: the COCO json, of boxes only. It knows all images of the folder, so
            a ``":fit"`` or ``":tune"`` part must be evaluated on its items' ``image_id`` alone.
        task: id of the task that reads it.
        notes: what was decided while reading, and is worth a warning; one sentence each.
    """

    class_names: list[str]
    items: list[Any]
    name: str
    annotations: Path | None = None
    task: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)


class DataFaults(InputError):
    """All that is wrong with the files of a split; as text, the first of it.

    Attributes:
        sentences: one per fault.
        split: what can be used in spite of them, if anything.
    """

    def __init__(self, sentences: list[str], split: Split | None = None) -> None:
        self.sentences, self.split = sentences, split
        more = len(sentences) - 1
        first = sentences[0].rstrip(".")
        super().__init__(f"{first} (and {more} more faults)." if more else sentences[0])


def in_tune_part(image: Path) -> bool:
    """Whether an image belongs to the ``":tune"`` part of its split.

    Decided by a hash of the file name without extension, so the answer is the same on every
    machine, for every class, and in every sample that the image is drawn into.
    """
    digest = hashlib.sha256(composed(image.stem).encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") < TUNE_SHARE * 2**64


def part_of(split: Split, part: str) -> Split:
    """The ``"fit"`` or ``"tune"`` part of a split; together they are the split, never overlapping.

    Raises:
        InputError: the part would be empty.
    """
    items = [item for item in split.items if in_tune_part(item.image) == (part == "tune")]
    if not items:
        raise InputError(
            f"{split.items[0].image.parent} has too few images ({len(split)}) for a "
            f'"{split.name}:{part}" part, expected at least one there.'
        )
    return replace(split, items=items, name=f"{split.name}:{part}")
