"""What exactly a split consists of, and whether two splits share an image."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mtl_core.data.image_io import read_image
from mtl_core.data.splits import ClsItem, DetItem, SegItem, Split
from mtl_core.types import InputError

# Two images count as the same when their 64 x 64 grey thumbnails agree this well. On resized
# and re-encoded copies of photographs the largest 99th percentile of the difference was 22 grey
# levels; between different photographs of COCO, VOC and Imagenette the smallest was 51.
_THUMBNAIL_PX = 64
_MIN_CORRELATION = 0.97
_MAX_DIFFERENCE_P99 = 32
_MAX_DIFFERENCE_MEAN = 4
_FLAT_STD = 1.0
_AT_ONCE = 4096  # images of either split compared at once, so that memory stays bounded


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
    files += [(i.mask.name, i.mask) for i in split.items if isinstance(i, SegItem)]
    if split.annotations is not None:
        files.append(("annotations", split.annotations))
    rows += [f"{_sha256(path)} {name}" for name, path in sorted(files)]
    digest = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return {"split": split.name, "n": len(split), "sha256": digest}


def check_disjoint(a: Split, b: Split) -> None:
    """Makes sure that no image stands in both splits, whatever it is called there.

    Every image is decoded (about 1 ms each for images of 500 px) to a grey thumbnail of
    64 x 64, and the thumbnails are compared. This finds copies, renamed files, and the same
    image saved again: in another format, at another JPEG quality, at another size, squashed, or
    in grey. It does not find crops, mirrored or turned copies, nor another photograph of the same
    scene; and it takes images that differ only in details below a hundredth of their area for
    the same.

    Raises:
        InputError: an image stands in both (the sentence names both files), or cannot be read.
    """
    thumbs_a, thumbs_b = _thumbnails(a), _thumbnails(b)
    for first in range(0, len(thumbs_a), _AT_ONCE):
        for second in range(0, len(thumbs_b), _AT_ONCE):
            pair = _first_pair(
                thumbs_a[first : first + _AT_ONCE].astype(np.float32),
                thumbs_b[second : second + _AT_ONCE].astype(np.float32),
            )
            if pair is not None:
                raise InputError(
                    f'{a.items[first + pair[0]].image} (split "{a.name}") and '
                    f'{b.items[second + pair[1]].image} (split "{b.name}") are the same '
                    "image, expected splits that share none."
                )


def _first_pair(thumbs_a: np.ndarray, thumbs_b: np.ndarray) -> tuple[int, int] | None:
    """Indices of the first two thumbnails (N x 4096 and M x 4096) that show the same image."""
    unit_a, unit_b = _unit_contrast(thumbs_a), _unit_contrast(thumbs_b)
    flat = np.outer(thumbs_a.std(1) < _FLAT_STD, thumbs_b.std(1) < _FLAT_STD)
    # The correlation only proposes; it is blind to brightness, and undefined for flat images.
    for i, j in np.argwhere((unit_a @ unit_b.T >= _MIN_CORRELATION) | flat):
        difference = np.abs(thumbs_a[i] - thumbs_b[j])
        if (
            difference.mean() <= _MAX_DIFFERENCE_MEAN
            and np.percentile(difference, 99) <= _MAX_DIFFERENCE_P99
        ):
            return int(i), int(j)
    return None


def _thumbnails(split: Split) -> np.ndarray:
    """N x 4096 uint8 grey levels."""
    size = (_THUMBNAIL_PX, _THUMBNAIL_PX)
    rows = []
    for item in split.items:
        size_wh = (item.width, item.height) if isinstance(item, DetItem) else None
        grey = Image.fromarray(read_image(item.image, size_wh)).convert("L")
        rows.append(np.asarray(grey.resize(size, Image.Resampling.BOX)).ravel())
    return np.stack(rows)


def _unit_contrast(thumbs: np.ndarray) -> np.ndarray:
    centred = thumbs - thumbs.mean(1, keepdims=True)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)


def _inner_name(item: Any) -> str:
    image = item.image
    return f"{image.parent.name}/{image.name}" if isinstance(item, ClsItem) else image.name


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}), expected a file.") from error
