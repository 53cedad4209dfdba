"""Images with a mask of class ids each.

Both in one folder, with JPEG or WebP images beside PNG masks of the same names; or, where images
are PNG too, with endings that tell them apart (``a.png`` and ``a_mask.png``, or ``a_img.png`` and
``a.png``); or in folders of their own::

    <split>/a.jpg  <split>/a.png
    <split>/images/a.png  <split>/masks/a.png
    images/<split>/a.png  masks/<split>/a.png
    classes.txt

``classes.txt`` holds one name a line, background first; VOC's names are taken without it. Where
masks are painted in colours, every line is ``name red green blue``, each 0 to 255, and a line
named ``void`` gives the colour of what belongs to no class::

    background 0 0 0
    road 128 64 128
    void 255 255 255
"""

from __future__ import annotations

import re
from pathlib import Path

from mtl_core.data.folders import differently_named, images_in, key_of, split_folder
from mtl_core.data.splits import VOID, DataFaults, SegItem, Split
from mtl_core.data.text import composed, read_text
from mtl_core.types import InputError

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

MASK_FOLDERS = ("masks", "labels")
_MASK_ENDING = re.compile(r"[_-](mask|masks|label|labels|gt|seg)$", re.IGNORECASE)
_IMAGE_ENDING = re.compile(r"[_-](img|image|rgb)$", re.IGNORECASE)
_PAINTED = re.compile(r"(.*\S)[\s,;:]+(\d{1,3})[\s,;]+(\d{1,3})[\s,;]+(\d{1,3})")


def read_mask_folder(root: Path, split: str) -> Split:
    """A split of images that each have a mask of class ids.

    Raises:
        InputError: anything is missing, ambiguous or malformed; ``DataFaults`` if it is several.
    """
    folder = split_folder(root, split)
    faults: list[str] = []
    pairs = _pairs(root, folder, faults)
    images = differently_named([image for image, _ in pairs], faults)
    try:
        names, colours = _class_names(root)
    except InputError as error:
        raise DataFaults([*faults, str(error)]) from error
    masks = dict(pairs)
    found = Split(names, [SegItem(image, masks[image], colours) for image in images], split)
    if faults:
        raise DataFaults(faults, found if found.items else None)
    return found


def _pairs(root: Path, folder: Path, faults: list[str]) -> list[tuple[Path, Path]]:
    """Images, sorted, each with its mask."""
    for masks in (folder / name for name in MASK_FOLDERS):
        if (folder / "images").is_dir() and masks.is_dir():
            return _of_two_folders(folder / "images", masks, faults)
    for masks in (root / name / folder.name for name in MASK_FOLDERS):
        if folder.parent != root and masks.is_dir():
            return _of_two_folders(folder, masks, faults)
    return _of_one_folder(folder, faults)


def _of_two_folders(images: Path, masks: Path, faults: list[str]) -> list[tuple[Path, Path]]:
    by_key = {key_of(path, masks): path for path in images_in(masks, faults)}
    endings = _without_endings(by_key)
    pairs = []
    for image in images_in(images, faults):
        key = key_of(image, images)
        mask = by_key.get(key) or endings.get(key)
        if mask:
            pairs.append((image, mask))
        else:
            faults.append(f"{masks / key}.png is missing, expected the mask of {image}.")
    used = {mask for _, mask in pairs}
    faults += [
        f"{mask} is a mask without an image, expected {images / key}.jpg."
        for key, mask in by_key.items()
        if mask not in used
    ]
    return pairs


def _of_one_folder(folder: Path, faults: list[str]) -> list[tuple[Path, Path]]:
    files = images_in(folder, faults)
    images = [path for path in files if path.suffix.lower() != ".png"]
    # Beside images of other formats a .png is a mask; one alone may be either.
    pngs = {key_of(path, folder): path for path in files if path.suffix.lower() == ".png"}
    endings = _without_endings(pngs)
    pairs, unmatched = [], []
    for image in images:
        key = key_of(image, folder)
        mask = pngs.get(key) or endings.get(key)
        if mask:
            pairs.append((image, mask))
        else:
            unmatched.append(image)
    used = {mask for _, mask in pairs}
    for key, png in pngs.items():
        bare = _IMAGE_ENDING.sub("", key)
        mask = pngs.get(bare) if bare != key else endings.get(key)
        if mask and not {png, mask} & used:
            pairs.append((png, mask))
            used |= {png, mask}
    left = [png for png in pngs.values() if png not in used]
    if left and not pairs and not unmatched:
        faults.append(
            f"{folder} holds .png files alone, of which none is known for a mask, expected images/ "
            "and masks/ folders in it, or masks named like a_mask.png beside a.png."
        )
        return []
    faults += [f"{i.with_suffix('.png')} is missing, expected the mask of {i}." for i in unmatched]
    faults += [f"{m} is a mask without an image, expected {m.stem}.jpg beside it." for m in left]
    return sorted(pairs)


def _without_endings(masks: dict[str, Path]) -> dict[str, Path]:
    """Masks by the names of the images that they are named after."""
    named = {_MASK_ENDING.sub("", key): mask for key, mask in masks.items()}
    return {key: mask for key, mask in named.items() if masks.get(key) != mask}


def _class_names(root: Path) -> tuple[list[str], dict[tuple[int, int, int], int] | None]:
    path = root / "classes.txt"
    if not path.exists():
        return list(VOC_CLASS_NAMES), None
    rows = [
        (number, composed(line.strip()))
        for number, line in enumerate(read_text(path, "names of classes").splitlines(), 1)
        if line.strip()
    ]
    painted = [(number, line, _PAINTED.fullmatch(line)) for number, line in rows]
    names = [line for _, line in rows]
    colours: dict[tuple[int, int, int], int] = {}
    if any(match for _, _, match in painted):
        names = []
        for number, line, match in painted:
            colour = (int(match[2]), int(match[3]), int(match[4])) if match else (256, 0, 0)
            if not match or max(colour) > 255 or colour in colours:
                raise InputError(
                    f'{path}: line {number} is "{line}", expected "name red green blue" with a '
                    "colour of its own, as other lines have one."
                )
            void = match[1].lower() == "void"
            colours[colour] = VOID if void else len(names)
            names += [] if void else [match[1]]
    if not 2 <= len(names) <= 255 or len(set(names)) != len(names):
        raise InputError(
            f"{path} holds {len(names)} names of which {len(set(names))} differ, "
            "expected 2 to 255 different ones, background first."
        )
    return names, colours or None
