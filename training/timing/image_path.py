"""An image's whole way: from a JPEG file's bytes to the drawn overlay, part by part."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mtl_core.data.synthetic.scene import Scene
from mtl_core.data.synthetic.shapes import KIND_NAMES
from mtl_core.engine import Engine
from mtl_core.overlay import RGB, outline, tint
from mtl_core.types import Prediction

PARTS = ("read", "prepare", "network", "decode", "draw")
PHOTO_HW = (960, 1280)
SHOWN_SCORE = 0.3


def scene(hw: tuple[int, int], seed: int = 0) -> np.ndarray:
    """A rendered image with a few objects, H x W x 3 uint8."""
    rng = np.random.default_rng(seed)
    canvas = Scene.with_background(*hw, rng)
    for kind in rng.integers(len(KIND_NAMES), size=6):
        canvas.place(int(kind), rng.uniform(0.06, 0.25) * min(hw))
    return canvas.image()


def jpeg(image: np.ndarray) -> bytes:
    """As a camera would store it."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=90)
    return file.getvalue()


def read(content: bytes, long_side_px: int | None = None) -> np.ndarray:
    """Decode a JPEG; with a bound, at the smallest of its eighths that is not below it."""
    with Image.open(io.BytesIO(content)) as image:
        if long_side_px is not None:
            share = long_side_px / max(image.size)
            # The proportions count: Pillow asks both sides to be at least as long as asked.
            image.draft("RGB", (int(image.width * share), int(image.height * share)))
        return np.asarray(image.convert("RGB"))


def draw(image: np.ndarray, prediction: Prediction) -> np.ndarray:
    """Mask and boxes on the image."""
    canvas = Image.fromarray(image)
    if prediction.mask is not None:
        colours: list[RGB | None] = [
            None,
            *(colour(i) for i in range(1, len(prediction.names("label_map")))),
        ]
        tint(canvas, prediction.mask, colours, 0.55)
    if prediction.boxes is not None:
        shown = prediction.boxes.above(SHOWN_SCORE)
        names = prediction.names("boxes")
        outline(canvas, shown, [colour(i) for i in range(len(names))], names)
    return np.asarray(canvas)


def colour(index: int) -> RGB:
    """Any colour; only the time counts."""
    return index * 67 % 256, index * 131 % 256, index * 29 % 256


@dataclass(frozen=True)
class Way:
    """From file to overlay with one engine.

    Args:
        engine: which one.
        content: a JPEG file.
        long_side_px: bound for decoding; None decodes all pixels.
    """

    engine: Engine
    content: bytes
    long_side_px: int | None = None

    def walk(self) -> dict[str, float]:
        """Once; milliseconds per part of ``PARTS``."""
        start = time.perf_counter()
        image = read(self.content, self.long_side_px)
        was_read = time.perf_counter()
        prediction = self.engine.predict(image)
        predicted = time.perf_counter()
        draw(image, prediction)
        drawn = time.perf_counter()
        return {
            "read": (was_read - start) * 1e3,
            **prediction.timings_ms,
            "draw": (drawn - predicted) * 1e3,
        }
