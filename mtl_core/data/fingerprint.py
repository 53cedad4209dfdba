"""What exactly a split consists of, and whether two splits share an image."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from mtl_core.data.image_io import read_image
from mtl_core.data.shared_images import Appearance, appearance, in_threads, shared_sentences
from mtl_core.data.splits import ClsItem, DetItem, SegItem, Split
from mtl_core.data.text import composed
from mtl_core.types import InputError


def fingerprint(split: Split) -> dict[str, Any]:
    """A short proof of which files a split consists of.

    Hashes the bytes of every image, mask and annotation file together with their names inside
    the split's folder, and the class names. Where the set lies, and the order that a file system
    lists it in, do not matter; one changed byte does.

    Returns:
        ``{"split": name, "n": number of images, "sha256": hexadecimal}``.

    Raises:
        InputError: a file went missing.
    """
    rows = [f"class {name}" for name in split.class_names]
    files = [(_inner_name(item), item.image) for item in split.items]
    masks = [item for item in split.items if isinstance(item, SegItem)]
    files += [(item.mask.name, item.mask) for item in masks]
    if masks and masks[0].colours:
        rows += [f"colour {colour} {label}" for colour, label in masks[0].colours.items()]
    if split.annotations is not None:
        files.append(("annotations", split.annotations))
    named = sorted((composed(name), path) for name, path in files)
    rows += [f"{_sha256(path)} {name}" for name, path in named]
    text = "\n".join(rows).encode("utf-8", "surrogateescape")
    digest = hashlib.sha256(text).hexdigest()
    return {"split": split.name, "n": len(split), "sha256": digest}


def check_disjoint(a: Split, b: Split) -> list[str]:
    """Makes sure that no image stands in both splits, whatever it is called there.

    Every image is decoded.

    Returns:
        One sentence about near-identical images, or none.

    Raises:
        InputError: an image stands in both (the sentence names both files), or cannot be read.
    """
    seen = [list(in_threads(_appearance_of, split.items)) for split in (a, b)]
    same, near = shared_sentences(a, b, *seen)
    if same:
        raise InputError(same[0])
    return near


def _inner_name(item: Any) -> str:
    image = item.image
    return f"{image.parent.name}/{image.name}" if isinstance(item, ClsItem) else image.name


def _appearance_of(item: Any) -> Appearance:
    size_wh = (item.width, item.height) if isinstance(item, DetItem) else None
    return appearance(read_image(item.image, size_wh))


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}), expected a file.") from error
