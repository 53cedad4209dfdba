"""Folders of a set: where a split lies, and which images stand in it.

What is wrong is appended to a list of ``faults``, so that all of it can be reported at once.
"""

from __future__ import annotations

from pathlib import Path

from mtl_core.data.image_io import IMAGE_SUFFIXES
from mtl_core.data.text import composed
from mtl_core.types import InputError

ROBOFLOW_ANNOTATIONS = "_annotations.coco.json"
# What file managers and labelling services leave behind; hidden files are passed over as well.
LITTER = {"thumbs.db", "desktop.ini", "__macosx", ROBOFLOW_ANNOTATIONS, "_classes.csv"}
# Names under which others keep a split.
_ALIASES = {"val": ("valid", "validation")}


def split_folder(root: Path, split: str) -> Path:
    """The folder of a split's images.

    Raises:
        InputError: there is none.
    """
    if not root.is_dir():
        raise InputError(f"{root} is missing, expected a folder with one folder per split.")
    names: list[str] = [split, *_ALIASES.get(split, ())] if split else []
    for folder in (place / name for place in (root, root / "images") for name in names):
        if folder.is_dir():
            return folder
    present = [p.name for p in entries(root) if p.is_dir() and p.name != "annotations"]
    found = f"beside {', '.join(present)}" if present else "there"
    raise InputError(f'{root / split} is missing, expected the images of split "{split}" {found}.')


def entries(folder: Path) -> list[Path]:
    """What stands in a folder, sorted by name, without litter."""
    names = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return sorted(entry for entry in names if entry.name.lower() not in LITTER)


def images_in(folder: Path, faults: list[str]) -> list[Path]:
    """The images of a folder and of the folders inside it, each folder sorted by name."""
    images, waiting = [], [folder]
    while waiting:
        for path in entries(waiting.pop(0)):
            if path.is_dir() and not path.is_symlink():
                waiting.append(path)
            elif path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
                images.append(path)
            else:
                shown = ", ".join(IMAGE_SUFFIXES)
                faults.append(f"{path} is no image, expected only {shown} files.")
    if not images and not faults:
        faults.append(f"{folder} is empty, expected images.")
    return images


def differently_named(images: list[Path], faults: list[str]) -> list[Path]:
    """The images of different stems: these name their predictions."""
    seen: dict[str, Path] = {}
    for path in images:
        stem = composed(path.stem)
        if stem in seen:
            faults.append(
                f"{path} and {seen[stem].name} have one name, expected different ones."
                if path.parent == seen[stem].parent
                else f"{path} and {seen[stem]} have one name, expected different ones."
            )
        else:
            seen[stem] = path
    return list(seen.values())


def key_of(path: Path, folder: Path) -> str:
    """A file's place inside a folder, without its ending, alike on every system."""
    return composed(path.relative_to(folder).with_suffix("").as_posix())
