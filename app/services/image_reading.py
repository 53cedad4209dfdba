"""A visitor's image: the limits of what is read, and the sentences for what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.language import Refusal
from mtl_core.data.image_io import read_frame, read_image
from mtl_core.types import InputError

MAX_BYTES = 12 * 1024 * 1024
MAX_PIXELS = 40_000_000
MAX_REDUCIBLE_PIXELS = 120_000_000  # of JPEG that is reduced while it is decoded
# Larger images are reduced to this: the network sees 512 px at most, and drawing stays quick.
LONG_SIDE_PX = 1280
MIN_SIDE_PX = 8


def read_upload(path: Path) -> tuple[np.ndarray, tuple[int, int]]:
    """An image file as H x W x 3 uint8 RGB, upright, its long side at most 1280 px; its own size.

    The size is read from the header and refused before any pixel is decoded, so a small file
    that would unpack to gigabytes costs nothing.

    Returns:
        The image, and height and width in pixels of the file's, upright.

    Raises:
        InputError: too many bytes or pixels, too small, or not an image.
    """
    try:
        size = path.stat().st_size
    except OSError:
        raise Refusal("image.lost") from None
    if size > MAX_BYTES:
        raise Refusal("image.bytes", size=f"{size / 2**20:.1f}", most=MAX_BYTES // 2**20)
    try:
        frame = read_frame(path)
        width, height = frame.upright_wh
        most = MAX_REDUCIBLE_PIXELS if frame.reducible else MAX_PIXELS
        if width * height > most:
            raise Refusal("image.pixels", width=width, height=height, most=most // 1_000_000)
        if min(width, height) < MIN_SIDE_PX:
            raise Refusal("image.small", width=width, height=height, least=MIN_SIDE_PX)
        return read_image(path, long_side_px=LONG_SIDE_PX), (height, width)
    except Refusal:
        raise
    except InputError:
        raise Refusal("image.unreadable") from None
