"""An image and what a network says of it, drawn as one image. Pure functions."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from app.palette import RAMP, color_of, is_background, readable, rgb, rgb_of
from app.results.tags import Tag, draw_tags
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
    line_px = max(2, round(max(canvas.size) / 320))
    tags = []
    for index, name in enumerate(boxes.names(class_names)):
        left, top, right, bottom = (float(v) for v in boxes.xyxy[index])
        box = left, top, max(right, left), max(bottom, top)
        text = f"{readable(name)} {boxes.scores[index]:.2f}"
        tags.append(Tag(text, color_of(name), box))
    for tag in reversed(tags):
        pen.rectangle(tag.box, outline=tag.color, width=line_px)
    draw_tags(pen, tags, canvas.size)
    return np.asarray(canvas)
