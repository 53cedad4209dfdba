"""A mask and boxes on an image, quickly enough not to matter beside the network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from mtl_core.types import Boxes

RGB = tuple[int, int, int]


def tint(
    image: Image.Image, mask: np.ndarray, colours: Sequence[RGB | None], opacity: float
) -> None:
    """Lay each class's colour on its pixels, in place.

    Pillow blends in 8-bit integers and in one pass over the part that has any colour; the same in
    floating point takes six times as long. Values differ from the exact ones by at most 1.

    Args:
        image: RGB.
        mask: H x W uint8 class indices, of the image's size.
        colours: per class; None leaves its pixels as they are, as do indices without an entry.
        opacity: of the colours, 0 to 1.
    """
    palette = np.zeros((256, 3), np.uint8)
    alpha = np.zeros(256, np.uint8)
    for index, colour in enumerate(colours):
        if colour is not None:
            palette[index], alpha[index] = colour, round(255 * opacity)
    strength = Image.fromarray(mask).point(alpha.tolist())
    box = strength.getbbox()
    if box is None:
        return
    indices = Image.fromarray(mask).crop(box)
    indices.putpalette(palette.ravel().tolist())
    image.paste(indices.convert("RGB"), box, strength.crop(box))


def outline(
    image: Image.Image,
    boxes: Boxes,
    colours: Sequence[RGB],
    names: Sequence[str],
    width_px: int = 2,
) -> None:
    """Draw boxes with name and score, the best one last, in place.

    Args:
        image: RGB.
        boxes: best first.
        colours: per class.
        names: per class.
        width_px: of the lines.
    """
    pen = ImageDraw.Draw(image)
    for i in reversed(range(len(boxes))):
        xyxy, label = boxes.xyxy[i].tolist(), int(boxes.labels[i])
        pen.rectangle(xyxy, outline=colours[label], width=width_px)
        text = f"{names[label]} {boxes.scores[i]:.2f}"
        pen.text((xyxy[0] + 4, xyxy[1] + 2), text, fill=colours[label])
