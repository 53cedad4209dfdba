"""Images and masks from files, with every fault told in a sentence that names the file."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image

from mtl_core.data.splits import VOID, DetItem, SegItem
from mtl_core.types import InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")

# All that Pillow raises for files that are cut short, mangled or not images at all.
DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)


def read_image(path: Path, size_wh: tuple[int, int] | None = None) -> np.ndarray:
    """An image as H x W x 3 uint8 RGB.

    The EXIF orientation is not applied: annotations (COCO's boxes, VOC's masks) are given in the
    frame of the stored pixels, and turning the image would leave its labels behind.

    Args:
        path: a JPEG or PNG file, in colour or grey, 8 bits a channel.
        size_wh: the width and height in pixels that its labels were made for, if known.

    Raises:
        InputError: the file is missing, truncated, no image, or of another size.
    """
    try:
        with Image.open(path) as image:
            if image.mode[0] in "IF":
                raise InputError(f"{path} has mode {image.mode}, expected 8 bits a channel.")
            if size_wh is not None and image.size != tuple(size_wh):
                raise InputError(
                    f"{path} is {_by(image.size)} pixels, expected {_by(size_wh)}, "
                    "the size that its labels are given for."
                )
            return np.array(image.convert("RGB"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing, expected an image.") from None
    except InputError:
        raise
    except DECODE_ERRORS as error:
        raise InputError(_unreadable(path, "a whole JPEG or PNG image", error)) from error


def read_mask(path: Path, class_count: int, size_wh: tuple[int, int] | None = None) -> np.ndarray:
    """A segmentation mask as H x W uint8 class ids; 255 is void.

    Palette entries are read as the ids they are. Their colours mean nothing here, and a
    conversion to grey would replace ids by luminances.

    Args:
        path: a PNG file of mode P (palette) or L with 8 bits.
        class_count: number of classes, background included; valid ids are below it.
        size_wh: the image's width and height in pixels, if known.

    Raises:
        InputError: the file is missing, truncated, of another mode or size, or holds an id that
            is neither below ``class_count`` nor 255.
    """
    try:
        with Image.open(path) as image:
            # Pillow stretches grey of 1, 2 or 4 bits to 0..255, which would alter the ids.
            stretched = image.mode == "L" and image.format == "PNG" and _png_bits(path) < 8
            if image.mode not in ("P", "L") or stretched:
                shown = f"{image.mode} with fewer than 8 bits" if stretched else image.mode
                raise InputError(
                    f"{path} has mode {shown}, expected a mask of class ids in mode P or 8-bit L."
                )
            if size_wh is not None and image.size != tuple(size_wh):
                raise InputError(
                    f"{path} is {_by(image.size)} pixels, expected {_by(size_wh)}, "
                    "the size of its image."
                )
            ids = np.array(image)
    except FileNotFoundError:
        raise InputError(f"{path} is missing, expected a mask of class ids.") from None
    except InputError:
        raise
    except DECODE_ERRORS as error:
        raise InputError(_unreadable(path, "a whole PNG mask", error)) from error
    wrong = (ids >= class_count) & (ids != VOID)
    if wrong.any():
        raise InputError(
            f"{path} holds the class id {int(ids[wrong].max())}, "
            f"expected 0 to {class_count - 1}, or {VOID} for void."
        )
    return ids


def read_seg(item: SegItem, class_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Image (H x W x 3) and mask (H x W) of an item, both uint8 and of one size.

    Raises:
        InputError: as ``read_image`` and ``read_mask``.
    """
    image = read_image(item.image)
    height, width = image.shape[:2]
    return image, read_mask(item.mask, class_count, (width, height))


def read_det(item: DetItem) -> np.ndarray:
    """Image of an item, H x W x 3 uint8, checked against the annotated width and height.

    Raises:
        InputError: as ``read_image``.
    """
    return read_image(item.image, (item.width, item.height))


def _png_bits(path: Path) -> int:
    """Bits a sample of a PNG file: byte 24, in the header chunk that always comes first."""
    with path.open("rb") as file:
        return file.read(25)[24]


def _by(size_wh: tuple[int, int]) -> str:
    return f"{size_wh[0]} x {size_wh[1]}"


def _unreadable(path: Path, expected: str, error: BaseException) -> str:
    reason = "cannot identify it" if isinstance(error, Image.UnidentifiedImageError) else str(error)
    reason = reason.rstrip(".").replace(". ", ", ")
    return f"{path} cannot be read ({reason}), expected {expected}."
