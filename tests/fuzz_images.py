"""Mutated image files of ten formats: each must end as pixels or in one sentence.

python -m tests.fuzz_images --count 5000
"""

from __future__ import annotations

import collections
import io
import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image
from tqdm import tqdm

from app.services.image_reading import read_upload
from mtl_core.data.image_io import FORMATS, read_frame, read_image
from mtl_core.data.mask_io import read_mask
from mtl_core.types import InputError


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def seeds() -> dict[str, bytes]:
    """A small whole file per format."""
    rng = np.random.default_rng(0)
    levels = np.kron(rng.integers(0, 256, (5, 6, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    colour = Image.fromarray(levels)
    floats = Image.fromarray(levels[..., 0].astype(np.float32) / 7)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"
    files = {
        "jpeg": encoded(colour, "JPEG", exif=exif),
        "progressive jpeg": encoded(colour.convert("CMYK"), "JPEG", progressive=True),
        "png": encoded(colour.convert("RGBA"), "PNG", exif=exif),
        "palette png": encoded(colour.quantize(16), "PNG", transparency=0),
        "16-bit png": encoded(Image.fromarray(levels[..., 0].astype(np.uint16) * 200), "PNG"),
        "webp": encoded(colour, "WEBP", exif=exif),
        "gif": encoded(colour, "GIF", save_all=True, append_images=[colour.rotate(90)]),
        "bmp": encoded(colour, "BMP"),
        "tiff": encoded(floats, "TIFF", tiffinfo={274: 6}),
        "packed tiff": encoded(colour, "TIFF", compression="tiff_lzw", exif=exif),
        "avif": encoded(colour, "AVIF", exif=exif) if "AVIF" in FORMATS else b"",
    }
    return {name: content for name, content in files.items() if content}


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, and now and then the end cut off, a piece doubled or taken out."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(len(data))
        data[place] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    first, last = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    what = rng.randrange(8)
    if what == 0:
        data = data[:last]
    elif what == 1:
        data = data[:last] + data[first:]
    elif what == 2:
        data = data[:first] + data[min(last, first + 8) :]
    return bytes(data)


def outcome(path: Path) -> str:
    """``"read"`` or ``"refused"`` once every reader had the file; other errors pass through."""
    found = "read"
    for read in (read_frame, read_image, read_upload, lambda p: read_mask(p, 21)):
        try:
            read(path)
        except InputError as error:
            sentence = str(error)
            assert sentence.endswith(".") and "\n" not in sentence, sentence
            found = "refused" if read is read_image else found
    return found


@dataclass
class Options:
    """Read mutated images and count what escaped."""

    count: int = 5000  # files
    seed: int = 0


def main(options: Options) -> int:
    """The number of files whose reading ended in anything but pixels or a sentence."""
    rng = random.Random(options.seed)
    files = seeds()
    outcomes: collections.Counter = collections.Counter()
    escaped = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.bin"
        for number in tqdm(range(options.count), unit="file", disable=not sys.stderr.isatty()):
            name = list(files)[number % len(files)]
            path.write_bytes(mutated(files[name], rng))
            try:
                outcomes[name, outcome(path)] += 1
            except Exception as error:
                escaped += 1
                print(f"{name}, file {number}: {type(error).__name__}: {error}")
    for (name, what), count in sorted(outcomes.items()):
        print(f"{name:<18}{what:<9}{count:>6}")
    print(f"{options.count} files, {escaped} uncaught")
    return escaped


if __name__ == "__main__":
    sys.exit(1 if main(tyro.cli(Options)) else 0)
