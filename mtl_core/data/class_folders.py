"""One folder of images per class.

::

    <split>/<class folder>/*.jpg
    classes.json                    optional: {class folder: shown name}
"""

from __future__ import annotations

from pathlib import Path

from mtl_core.data.folders import differently_named, entries, images_in, split_folder
from mtl_core.data.splits import ClsItem, DataFaults, Split
from mtl_core.data.text import composed, load_json
from mtl_core.types import InputError

IMAGENETTE_NAMES = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


def read_class_folders(root: Path, split: str) -> Split:
    """A split with one folder of images per class.

    Raises:
        InputError: anything is missing, ambiguous or malformed; ``DataFaults`` if it is several.
    """
    folder = split_folder(root, split)
    faults: list[str] = []
    class_folders = []
    for entry in entries(folder):
        if entry.is_dir():
            class_folders.append(entry)
        else:
            faults.append(f"{entry} stands outside the class folders, expected only folders.")
    if not class_folders:
        raise DataFaults([*faults, f"{folder} is empty, expected one folder per class."])
    items: list[ClsItem] = []
    seen: dict[tuple[str, str], Path] = {}
    for label, class_folder in enumerate(class_folders):
        own: list[str] = []  # else an earlier fault would hide that a folder is empty
        for image in differently_named(images_in(class_folder, own), own):
            key = image.parent.name, image.stem  # which names its prediction
            if key in seen:
                own.append(f"{image} and {seen[key]} have one name, expected different ones.")
            seen[key] = image
            items.append(ClsItem(image, label))
        faults += own
    try:
        names = _class_names(root, [composed(folder.name) for folder in class_folders])
    except InputError as error:
        raise DataFaults([*faults, str(error)]) from error
    found = Split(names, items, split)
    if faults:
        raise DataFaults(faults, found if items else None)
    return found


def _class_names(root: Path, folders: list[str]) -> list[str]:
    path = root / "classes.json"
    if not path.exists():
        return [IMAGENETTE_NAMES.get(folder, folder) for folder in folders]
    expected = "an object {class folder: shown name}"
    content = load_json(path, expected)
    named = isinstance(content, dict) and all(isinstance(v, str) and v for v in content.values())
    if not named:
        raise InputError(f"{path} is no table of names, expected {expected}.")
    shown = {composed(folder): composed(name) for folder, name in content.items()}
    for folder in folders:
        if folder not in shown:
            raise InputError(f'{path} does not name the class folder "{folder}", expected it to.')
    names = [shown[folder] for folder in folders]
    if len(set(names)) != len(names):
        raise InputError(f"{path} gives two class folders one name, expected different names.")
    return names
