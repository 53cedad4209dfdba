"""An image and what a network says of it, drawn as one image. Pure functions."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from app.palette import RAMP, color_of, ink_on, is_background, readable, rgb, rgb_of
from mtl_core import overlay as drawing
from mtl_core.decoding.boxes import SHOWN_SCORE
from mtl_core.types import Boxes, LabelMap, Prediction, ScalarMap


def overlay(
    image: np.ndarray,
    prediction: Prediction,
    *,
    opacity: float = 0.55,
    score_threshold: float = SHOWN_SCORE,
    boxes: bool = True,
) -> np.ndarray:
    """The image with its maps and boxes on it.

    A map of numbers is drawn where there is no mask, which it would hide.

    Args:
        image: H x W x 3 uint8 RGB, of the prediction's size.
        prediction: what to draw.
        opacity: of the mask's colours, 0 (invisible) to 1.
        score_threshold: boxes below it are left out.
        boxes: whether to draw them.

    Returns:
        H x W x 3 uint8 RGB, a new array.
    """
    drawn = image
    for task, part in prediction.parts.items():
        if isinstance(part, LabelMap):
            drawn = tint(drawn, part.ids, prediction.class_names[task], opacity)
        elif isinstance(part, ScalarMap) and prediction.mask is None:
            drawn = shade(drawn, part.values, opacity)
    for task, part in prediction.parts.items():
        if boxes and isinstance(part, Boxes):
            drawn = outline(drawn, part.above(score_threshold), prediction.class_names[task])
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


def steps_of(values: np.ndarray) -> tuple[np.ndarray, float, float]:
    """A map of numbers in 254 steps: H x W uint8 (255: no number), its lowest and highest value."""
    known = np.isfinite(values)
    low, high = (float(f(values[known])) if known.any() else 0.0 for f in (np.min, np.max))
    steps = np.full(values.shape, 255, np.uint8)
    steps[known] = (values[known] - low) / max(high - low, 1e-9) * 254
    return steps, low, high


def shade(image: np.ndarray, values: np.ndarray, opacity: float) -> np.ndarray:
    """Lay a map of numbers (H x W) on an image (H x W x 3), from dark (low) to bright (high)."""
    places, stops = np.linspace(0, 254, len(RAMP)), np.array([rgb(color) for color in RAMP])
    ramp = np.stack([np.interp(np.arange(256), places, stops[:, i]) for i in range(3)], axis=1)
    steps = steps_of(values)[0]
    mixed = image + (ramp[steps] - image) * opacity
    return np.where((steps == 255)[..., None], image, mixed).astype(np.uint8)


def outline(image: np.ndarray, boxes: Boxes, class_names: list[str]) -> np.ndarray:
    """Draw boxes with name and score; the best one is drawn last, on top of the others."""
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    height, width = image.shape[:2]
    line_px = max(2, round(max(height, width) / 320))
    font = _font(max(11, round(max(height, width) / 46)))
    names = boxes.names(class_names)
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
