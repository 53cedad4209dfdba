"""A visitor's image, read with bounds: whatever comes in ends as pixels or in one sentence."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from app.language import Refusal
from mtl_core.types import InputError

MAX_BYTES = 12 * 1024 * 1024
MAX_PIXELS = 40_000_000
# Larger images are reduced to this: the network sees 512 px at most, and drawing stays quick.
LONG_SIDE_PX = 1280
MIN_SIDE_PX = 8

_DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    MemoryError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
# Formats whose decoders are Pillow's own, as far as this build of it has them; EPS for one would
# start another program.
Image.init()
_FORMATS: list[str] = [
    f for f in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF") if f in Image.OPEN
]


def read_upload(path: str | Path) -> np.ndarray:
    """An image file as H x W x 3 uint8 RGB, upright, its long side at most 1280 px.

    The size is read from the header and refused before any pixel is decoded, so a small file
    that would unpack to gigabytes costs nothing. Transparency is laid on white.

    Raises:
        InputError: too many bytes or pixels, too small, or not an image.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
    except OSError:
        raise Refusal("image.lost") from None
    if size > MAX_BYTES:
        raise Refusal("image.bytes", size=f"{size / 2**20:.1f}", most=MAX_BYTES // 2**20)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                _check_size(image)
                # JPEG can decode at a half, quarter or eighth: much quicker for camera images.
                image.draft("RGB", (LONG_SIDE_PX, LONG_SIDE_PX))
                return _pixels(image)
    except InputError:
        raise
    except _DECODE_ERRORS:
        raise Refusal("image.unreadable") from None


def bounded(pixels: np.ndarray, long_side_px: int = LONG_SIDE_PX) -> np.ndarray:
    """The image with its long side at most ``long_side_px``; H x W x 3 uint8 in and out."""
    height, width = pixels.shape[:2]
    if max(height, width) <= long_side_px:
        return pixels
    factor = long_side_px / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    reduced = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(reduced)


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        most = MAX_PIXELS // 1_000_000
        raise Refusal("image.pixels", width=width, height=height, most=most)
    if min(width, height) < MIN_SIDE_PX:
        raise Refusal("image.small", width=width, height=height, least=MIN_SIDE_PX)


def _pixels(image: Image.Image) -> np.ndarray:
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("I", "I;16", "F"):
        values = np.asarray(upright, np.float32)
        span = float(values.max() - values.min()) or 1.0
        upright = Image.fromarray(((values - values.min()) * (255 / span)).astype(np.uint8))
    if "A" in upright.getbands() or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return bounded(np.asarray(upright.convert("RGB")))
