"""An image and what a network says of it, drawn as one image. Pure functions."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from app.palette import color_of, ink_on, is_background, readable, rgb_of
from app.results.changes import SHOWN_SCORE
from mtl_core import overlay as drawing
from mtl_core.types import Prediction


def overlay(
    image: np.ndarray,
    prediction: Prediction,
    *,
    opacity: float = 0.55,
    score_threshold: float = SHOWN_SCORE,
    tasks: tuple[str, ...] = ("seg", "det"),
) -> np.ndarray:
    """The image with mask and boxes on it.

    Args:
        image: H x W x 3 uint8 RGB, of the prediction's size.
        prediction: what to draw.
        opacity: of the mask's colours, 0 (invisible) to 1.
        score_threshold: boxes below it are left out.
        tasks: which of ``"seg"`` and ``"det"`` to draw; those never trained are left out.

    Returns:
        H x W x 3 uint8 RGB, a new array.
    """
    drawn = image
    if "seg" in tasks and prediction.mask is not None:
        drawn = tint(drawn, prediction.mask, prediction.class_names["seg"], opacity)
    if "det" in tasks and prediction.boxes is not None:
        drawn = outline(drawn, prediction, score_threshold)
    return drawn.copy() if drawn is image else drawn


def tint(image: np.ndarray, mask: np.ndarray, class_names: list[str], opacity: float) -> np.ndarray:
    """Lay each class's colour on its pixels; background stays as photographed.

    Args:
        image: H x W x 3 uint8 RGB.
        mask: H x W uint8 class indices; indices without a name (255, void) are not drawn.
        class_names: in index order.
        opacity: 0 to 1.
    """
    colours = [None if is_background(name) else rgb_of(name) for name in class_names]
    canvas = Image.fromarray(image)
    drawing.tint(canvas, mask, colours, opacity)
    return np.asarray(canvas)


def outline(image: np.ndarray, prediction: Prediction, score_threshold: float) -> np.ndarray:
    """Draw boxes with name and score; the best one is drawn last, on top of the others."""
    assert prediction.boxes is not None
    boxes = prediction.boxes.above(score_threshold)
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    height, width = image.shape[:2]
    line_px = max(2, round(max(height, width) / 320))
    font = _font(max(11, round(max(height, width) / 46)))
    names = boxes.names(prediction.class_names["det"])
    for index in reversed(range(len(boxes))):
        left, top, right, bottom = (float(v) for v in boxes.xyxy[index])
        right, bottom = max(right, left), max(bottom, top)
        color = color_of(names[index])
        pen.rectangle((left, top, right, bottom), outline=color, width=line_px)
        text = f"{readable(names[index])} {boxes.scores[index]:.2f}"
        text_left, text_top, text_right, text_bottom = pen.textbbox((0, 0), text, font=font)
        tag_width, tag_height = text_right - text_left + 8, text_bottom - text_top + 6
        # The tag goes above its box where there is room, else inside at the top.
        x = min(max(left, 0), max(0, width - tag_width))
        y = top - tag_height if top >= tag_height else top
        pen.rectangle((x, y, x + tag_width, y + tag_height), fill=color)
        pen.text((x + 4 - text_left, y + 3 - text_top), text, fill=ink_on(color), font=font)
    return np.asarray(canvas)


@lru_cache(maxsize=16)
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
