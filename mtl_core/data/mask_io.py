"""Segmentation masks from files, as class ids."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from mtl_core.data.image_io import by, opened, read_frame, read_image, turned
from mtl_core.data.splits import VOID, SegItem
from mtl_core.types import InputError

Colours = Mapping[tuple[int, int, int], int]  # red, green, blue -> class id, 255 for void

_LOSSY = ("JPEG", "AVIF")


def read_mask(
    path: Path,
    class_count: int,
    size_wh: tuple[int, int] | None = None,
    colours: Colours | None = None,
    image_path: Path | None = None,
) -> np.ndarray:
    """A segmentation mask as H x W uint8 class ids; 255 is void.

    Palette entries and grey levels of any depth are read as the ids they are, unless there is a
    table of colours: then a palette stands for its colours. Masks of three equal channels are
    read as grey.

    Args:
        path: a file of a lossless format.
        class_count: number of classes, background included; valid ids are below it.
        size_wh: the image's width and height in pixels, if known.
        colours: the class id of each colour, for masks that are painted.
        image_path: its image, whose orientation may explain another size.

    Raises:
        InputError: the file is missing, truncated, of another mode or size, or holds an id that
            is neither below ``class_count`` nor 255, or a colour that is not in the table.
    """
    with opened(path, "a whole mask of class ids") as image:
        if image.format in _LOSSY:
            raise InputError(f"{path} is {image.format}, which alters ids, expected a PNG mask.")
        if size_wh is not None and image.size != tuple(size_wh):
            remark = turned(read_frame(image_path), image.size) if image_path else ""
            raise InputError(
                f"{path} is {by(image.size)} pixels, expected {by(size_wh)}, "
                f"the size of its image{remark}."
            )
        if colours and image.mode in ("P", "RGB", "RGBA"):
            return _by_colour(path, np.asarray(image.convert("RGB")), colours)
        ids = _ids(path, image)
    wrong = ((ids < 0) | (ids >= class_count)) & (ids != VOID)
    if wrong.any():
        raise InputError(
            f"{path} holds the class id {int(ids[wrong].max())}, "
            f"expected 0 to {class_count - 1}, or {VOID} for void."
        )
    return ids.astype(np.uint8)


def read_seg(item: SegItem, class_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Image (H x W x 3) and mask (H x W) of an item, both uint8 and of one size.

    Raises:
        InputError: as ``read_image`` and ``read_mask``.
    """
    image = read_image(item.image)
    height, width = image.shape[:2]
    return image, read_mask(item.mask, class_count, (width, height), item.colours, item.image)


def _ids(path: Path, image: Image.Image) -> np.ndarray:
    """H x W whole numbers, not yet checked."""
    if image.mode in ("P", "1") or image.mode.startswith("I"):
        return np.array(image).astype(np.int64)
    if image.mode == "L":
        bits = _png_bits(path) if image.format == "PNG" else 8
        # Pillow stretches grey of 2 or 4 bits to 0..255.
        return np.asarray(np.array(image) // (255 // (2 ** min(bits, 8) - 1)))
    if image.mode in ("RGB", "RGBA"):
        channels = np.asarray(image)[..., :3]
        if (channels == channels[..., :1]).all():
            return channels[..., 0]
    raise InputError(
        f"{path} has mode {image.mode}, expected a mask of class ids in mode P or L, or the "
        'colours in classes.txt as lines of "name red green blue".'
    )


def _by_colour(path: Path, pixels: np.ndarray, colours: Colours) -> np.ndarray:
    packed = pixels.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    found, places = np.unique(packed, return_inverse=True)
    table = {(r << 16) + (g << 8) + b: index for (r, g, b), index in colours.items()}
    for colour in found.tolist():
        if colour not in table:
            shown = f"{colour >> 16} {colour >> 8 & 255} {colour & 255}"
            raise InputError(f"{path} holds the colour {shown}, expected one of classes.txt.")
    ids = np.array([table[colour] for colour in found.tolist()], np.uint8)
    return ids[places].reshape(packed.shape)


def _png_bits(path: Path) -> int:
    """Bits a sample of a PNG file: byte 24, in the header chunk that always comes first."""
    with path.open("rb") as file:
        return file.read(25)[24]
