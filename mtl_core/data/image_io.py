"""Images from files: one reader for training, evaluation and the page."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from mtl_core.data.splits import DetItem
from mtl_core.types import InputError

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    ".avif",
)
# Formats whose decoders are Pillow's own, as far as this build of it has them; EPS for one would
# start another program.
Image.init()
_KNOWN: list[str] = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"]
FORMATS = [name for name in _KNOWN if name in Image.OPEN]
# Large images are legal here; Pillow still refuses those of more than 178 million pixels.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")  # on odd metadata, EXIF's too

_ORIENTATION = 0x0112  # EXIF tag
_GDAL_NO_DATA = 42113  # TIFF tag, a text
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What surveys write where nothing was measured, beside NaN, infinity and the largest float.
_NO_DATA = (-9999.0, -99999.0, -32768.0)
_PLAUSIBLE = 1e30


@dataclass(frozen=True)
class Frame:
    """What an image file's header says.

    Attributes:
        stored_wh: width and height of the stored pixels.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
        reducible: whether it can be reduced while it is decoded, so that its pixels never are in
            memory all at once.
    """

    stored_wh: tuple[int, int]
    orientation: int
    reducible: bool

    @property
    def upright_wh(self) -> tuple[int, int]:
        """Width and height of the image as it is shown, and as ``read_image`` gives it."""
        width, height = self.stored_wh
        return (height, width) if self.orientation > 4 else (width, height)


def read_frame(path: Path) -> Frame:
    """An image's size and orientation, of which no pixel is decoded.

    Raises:
        InputError: the file is missing or no image.
    """
    with opened(path, "an image") as image:
        return _frame(image)


def read_image(
    path: Path, size_wh: tuple[int, int] | None = None, long_side_px: int | None = None
) -> np.ndarray:
    """An image as H x W x 3 uint8 RGB, upright.

    The EXIF orientation is applied; other metadata does not matter. Transparency is laid on
    white. Grey of more than 8 bits, and of floats, is stretched from its least to its greatest
    value; NaN, infinities and no-data values are black. Of several frames the first is read.

    Args:
        path: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.
        size_wh: the upright width and height in pixels that its labels were made for, if known.
        long_side_px: reduce a larger image to this; JPEG is reduced while it is decoded.

    Raises:
        InputError: the file is missing, truncated, no image, or of another size.
    """
    with opened(path, "a whole image") as image:
        frame = _frame(image)
        if size_wh is not None and frame.upright_wh != tuple(size_wh):
            expected = f"expected {by(size_wh)}, the size that its labels are given for"
            raise InputError(f"{path} is {by(frame.upright_wh)} pixels{turned(frame, size_wh)}, "
                             f"{expected}.")  # fmt: skip
        if long_side_px and max(image.size) > long_side_px:
            scale = long_side_px / max(image.width, image.height)
            image.draft(None, (round(image.width * scale), round(image.height * scale)))
        _load(image)
        rgb = _rgb(image)
        if frame.orientation > 1:
            rgb = rgb.transpose(_TURNS[frame.orientation])
        pixels = np.array(rgb)
    return bounded(pixels, long_side_px) if long_side_px else pixels


def read_det(item: DetItem) -> np.ndarray:
    """Image of an item, H x W x 3 uint8, checked against the annotated width and height.

    Raises:
        InputError: as ``read_image``.
    """
    return read_image(item.image, (item.width, item.height))


def bounded(pixels: np.ndarray, long_side_px: int) -> np.ndarray:
    """The image with its long side at most ``long_side_px``; H x W x 3 uint8 in and out."""
    height, width = pixels.shape[:2]
    if max(height, width) <= long_side_px:
        return pixels
    factor = long_side_px / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    reduced = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(reduced)


@contextmanager
def opened(path: Path, expected: str) -> Iterator[Image.Image]:
    """An image file with its header read; whatever goes wrong inside ends in one sentence.

    Raises:
        InputError: the file is missing, or its decoder failed; the sentence ends in ``expected``.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            yield image
    except FileNotFoundError:
        raise InputError(f"{path} is missing, expected {expected}.") from None
    except InputError:
        raise
    except Exception as error:  # decoders raise what they like, RuntimeError and struct.error too
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "cannot identify it" if unknown else " ".join(str(error).split())
        reason = (reason or type(error).__name__).rstrip(".").replace(". ", ", ")
        raise InputError(f"{path} cannot be read ({reason}), expected {expected}.") from error


def turned(frame: Frame, size_wh: tuple[int, int]) -> str:
    """A remark for a sentence about sizes: that the labels fit the image before EXIF turns it."""
    if frame.orientation > 1 and frame.stored_wh == tuple(size_wh):
        return f" once upright (its EXIF orientation {frame.orientation} turns it)"
    return ""


def by(size_wh: tuple[int, int]) -> str:
    """A size in words."""
    return f"{size_wh[0]} x {size_wh[1]}"


def _frame(image: Image.Image) -> Frame:
    try:
        exif = image.getexif()
        # Taken out, lest Pillow's TIFF reader turns the pixels itself.
        found = exif.pop(_ORIENTATION, 1)
    except Exception:  # the pixels are fine, whatever was written about them
        found = 1
    orientation = found if found in _TURNS else 1
    size = image.size
    if orientation > 4 and image.format == "TIFF":  # whose size Pillow gives upright
        size = size[1], size[0]
    # Of a progressive JPEG all coefficients are held until its last scan.
    reducible = image.format == "JPEG" and not image.info.get("progressive")
    return Frame(size, orientation, reducible)


def _load(image: Image.Image) -> None:
    try:
        image.load()
    except Exception:
        # Pillow's TIFF reader parses tags after the pixels; by then no tile is left to decode.
        if image.format != "TIFF" or image.tile:  # type: ignore[attr-defined]
            raise


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode[0] in "IF":
        return Image.fromarray(_grey_levels(image)).convert("RGB")
    if image.mode == "LAB":  # which Pillow's own conversion does not know
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, *profiles, outputMode="RGB")
        assert converted is not None
        return converted
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image.convert("RGB")


def _grey_levels(image: Image.Image) -> np.ndarray:
    """H x W uint8 of an image of 16 bits, 32 bits or floats."""
    # A copy, for the size that Pillow gives of a turned TIFF is not that of its pixels.
    values = np.asarray(image.copy()).astype(np.float32)
    plausible = np.isfinite(values) & (np.abs(values) < _PLAUSIBLE)
    if not image.mode.startswith("I;16"):
        for no_data in (*_NO_DATA, _own_no_data(image)):
            plausible &= values != np.float32(no_data)
    if not plausible.any():
        return np.zeros(values.shape, np.uint8)
    low, high = values[plausible].min(), values[plausible].max()
    # Halved, so that the span of two large floats is finite.
    span = float(high / 2 - low / 2) or 1.0
    levels = (np.where(plausible, values, low) / 2 - low / 2) * (255 / span)
    return np.asarray(levels, np.uint8)


def _own_no_data(image: Image.Image) -> float:
    tags = getattr(image, "tag_v2", {})
    try:
        return float(str(tags.get(_GDAL_NO_DATA)).strip("\0 "))
    except ValueError:
        return float("nan")  # equal to no value
