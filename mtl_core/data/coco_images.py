"""The images that a COCO annotation file lists, found in their folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.data.coco_records import Id, a_name, all_of, refuse_repeats, value_of
from mtl_core.data.image_io import read_frame
from mtl_core.data.text import composed, identity, whole
from mtl_core.types import InputError


@dataclass(frozen=True)
class ListedImage:
    """A listed image that was found; width and height in pixels."""

    name: str
    path: Path
    width: int
    height: int


def listed_images(
    records: list[Any], annotations: Path, folder: Path, present: list[Path], faults: list[str]
) -> dict[Id, ListedImage]:
    """The listed images that stand in the folder, by id."""
    found_at = _Finder(folder, present)
    listed: set[Path] = set()

    def parse(record: Any) -> tuple[Id, ListedImage]:
        image_id = value_of(record, "id", identity, "image", annotations)
        name = value_of(record, "file_name", a_name, "image", annotations)
        path = found_at(name)
        if path is None:
            raise InputError(
                f"{folder / name} is missing, expected because {annotations} lists it."
            )
        if path in listed:
            raise InputError(f'{annotations} lists the image "{name}" twice, expected once.')
        listed.add(path)
        sides = {}
        for key in ("width", "height"):
            if record.get(key) is not None:
                sides[key] = value_of(record, key, whole, "image", annotations)
        if len(sides) < 2:
            sides["width"], sides["height"] = read_frame(path).upright_wh
        if min(sides.values()) < 1:
            raise InputError(
                f"{annotations} gives {name} the size {sides['width']} x {sides['height']}, "
                "expected at least one pixel each way."
            )
        return image_id, ListedImage(name, path, sides["width"], sides["height"])

    pairs = all_of(records, parse, faults)
    refuse_repeats([image_id for image_id, _ in pairs], "image id", annotations, faults)
    faults += [
        f"{path} is not listed in {annotations}, expected an entry for every image of the folder."
        for path in present
        if path not in listed
    ]
    return dict(pairs)


class _Finder:
    """Finds a listed image whatever folders, separators, composition and case its name has."""

    def __init__(self, folder: Path, present: list[Path]) -> None:
        self.by_place = {composed(p.relative_to(folder).as_posix()): p for p in present}
        self.by_name: dict[str, list[Path]] = {}
        for path in present:
            self.by_name.setdefault(composed(path.name).casefold(), []).append(path)

    def __call__(self, name: str) -> Path | None:
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        for first in range(len(parts)):
            place = "/".join(parts[first:])
            if place in self.by_place:
                return self.by_place[place]
        same = self.by_name.get(parts[-1].casefold(), []) if parts else []
        return same[0] if len(same) == 1 else None
