"""What exactly a split consists of."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from mtl_core.data.splits import ClsItem, SegItem, Split
from mtl_core.data.text import composed
from mtl_core.types import InputError


def fingerprint(split: Split) -> dict:
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


def _inner_name(item: Any) -> str:
    image = item.image
    return f"{image.parent.name}/{image.name}" if isinstance(item, ClsItem) else image.name


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}), expected a file.") from error
