"""The data layout on disk, found and checked.

Three sets, below one root or each in a folder of its own::

    mini_voc_seg/<split>/*.jpg + *.png             masks of class ids, 255 = void
    mini_voc_seg/classes.txt                       optional: one name a line, background first
    mini_coco_det/<split>/*.jpg
    mini_coco_det/annotations/instances_<split>.json
    imagenette_160/<split>/<class folder>/*.JPEG
    imagenette_160/classes.json                    optional: {class folder: shown name}

A split is any folder name. ``"train:fit"`` and ``"train:tune"`` divide a split, about 85 to 15,
so that recipes can be chosen without a look at the validation images.

Names and annotation files are checked here; pixels when they are read (``read_image``,
``read_mask``), so that a large set opens at once.
"""

from __future__ import annotations

from pathlib import Path

from mtl_core.data.coco_annotations import load_json, read_coco
from mtl_core.data.fingerprint import check_disjoint, fingerprint
from mtl_core.data.image_io import IMAGE_SUFFIXES, read_det, read_image, read_mask, read_seg
from mtl_core.data.splits import ClsItem, DetItem, SegItem, Split
from mtl_core.types import InputError

__all__ = [
    "ClsItem",
    "DetItem",
    "SegItem",
    "Split",
    "check_disjoint",
    "fingerprint",
    "read_box_folder",
    "read_class_folders",
    "read_det",
    "read_image",
    "read_mask",
    "read_mask_folder",
    "read_seg",
]

VOC_CLASS_NAMES = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]

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

# What file managers leave behind; hidden files are passed over as well. Anything else counts.
FILE_MANAGER_LITTER = {"Thumbs.db", "desktop.ini"}


def read_mask_folder(root: Path, split: str) -> Split:
    """A split of images that each have a mask of class ids of the same name beside them."""
    files = _images_in(_split_folder(root, split))
    # In this set a .png is a mask; an image in that format could not be told from its own mask.
    masks = {path.stem: path for path in files if path.suffix.lower() == ".png"}
    images = _differently_named([path for path in files if path.suffix.lower() != ".png"])
    for path in images:
        if path.stem not in masks:
            raise InputError(f"{path.with_suffix('.png')} is missing, expected the mask of {path}.")
    stems = {path.stem for path in images}
    for stem, mask in masks.items():
        if stem not in stems:
            raise InputError(f"{mask} is a mask without an image, expected {stem}.jpg beside it.")
    items = [SegItem(path, masks[path.stem]) for path in images]
    return Split(_seg_class_names(root), items, split)


def read_box_folder(root: Path, split: str) -> Split:
    """A split of images with a COCO annotation file."""
    folder = _split_folder(root, split)
    annotations = root / "annotations" / f"instances_{split}.json"
    class_names, items = read_coco(annotations, folder, _differently_named(_images_in(folder)))
    return Split(class_names, items, split, annotations)


def read_class_folders(root: Path, split: str) -> Split:
    """A split with one folder of images per class."""
    split_folder = _split_folder(root, split)
    folders = _entries(split_folder)
    for entry in folders:
        if not entry.is_dir():
            raise InputError(f"{entry} stands outside the class folders, expected only folders.")
    if not folders:
        raise InputError(f"{split_folder} is empty, expected one folder per class.")
    items = [
        ClsItem(image, label)
        for label, folder in enumerate(folders)
        for image in _differently_named(_images_in(folder))
    ]
    names = _cls_class_names(root, [folder.name for folder in folders])
    return Split(names, items, split)


def _seg_class_names(root: Path) -> list[str]:
    path = root / "classes.txt"
    if not path.exists():
        return list(VOC_CLASS_NAMES)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}), expected text in UTF-8.") from error
    names = [line.strip() for line in lines if line.strip()]
    if not 2 <= len(names) <= 255 or len(set(names)) != len(names):
        raise InputError(
            f"{path} holds {len(names)} names of which {len(set(names))} differ, "
            "expected 2 to 255 different ones, background first."
        )
    return names


def _cls_class_names(root: Path, folders: list[str]) -> list[str]:
    path = root / "classes.json"
    if not path.exists():
        return [IMAGENETTE_NAMES.get(folder, folder) for folder in folders]
    expected = "an object {class folder: shown name}"
    shown = load_json(path, expected)
    if not isinstance(shown, dict) or not all(isinstance(v, str) and v for v in shown.values()):
        raise InputError(f"{path} is no table of names, expected {expected}.")
    for folder in folders:
        if folder not in shown:
            raise InputError(f'{path} does not name the class folder "{folder}", expected it to.')
    names = [shown[folder] for folder in folders]
    if len(set(names)) != len(names):
        raise InputError(f"{path} gives two class folders one name, expected different names.")
    return names


def _split_folder(root: Path, split: str) -> Path:
    if not root.is_dir():
        raise InputError(f"{root} is missing, expected a folder with one folder per split.")
    folder = root / split
    if not split or not folder.is_dir():
        present = [p.name for p in _entries(root) if p.is_dir() and p.name != "annotations"]
        found = f"beside {', '.join(present)}" if present else "there"
        raise InputError(f'{folder} is missing, expected the images of split "{split}" {found}.')
    return folder


def _images_in(folder: Path) -> list[Path]:
    files = _entries(folder)
    for path in files:
        if path.suffix.lower() not in IMAGE_SUFFIXES or not path.is_file():
            raise InputError(f"{path} is no image, expected only .jpg, .jpeg and .png files.")
    if not files:
        raise InputError(f"{folder} is empty, expected images.")
    return files


def _differently_named(images: list[Path]) -> list[Path]:
    """The images, once no two differ in their endings alone: stems name their predictions."""
    seen: dict[str, Path] = {}
    for path in images:
        if path.stem in seen:
            raise InputError(
                f"{path} and {seen[path.stem].name} have one name, expected different ones."
            )
        seen[path.stem] = path
    return images


def _entries(folder: Path) -> list[Path]:
    names = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return sorted(entry for entry in names if entry.name not in FILE_MANAGER_LITTER)
