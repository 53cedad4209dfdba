"""Stored answers without their photograph: two stages side by side on blank paper."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from app.palette import color_of, is_background, readable
from app.results.overlay import overlay
from app.results.tags import Tag, draw_tags
from mtl_core.decoding.boxes import SHOWN_SCORE
from mtl_core.types import Boxes, LabelMap, Part, Prediction

PAPER, GAP_PX, SIDE_PX = 244, 8, 240
# Specks of a class are drawn, but carry no name.
_NAMED_SHARE = 0.01


def before_and_after(before: Prediction, after: Prediction) -> np.ndarray:
    """Two answers to one image, the earlier on the left: h x w x 3 uint8 RGB."""
    size_hw = _size(before, after)
    sides = [_drawn(said, size_hw) for said in (before, after)]
    gap = np.full((sides[0].shape[0], GAP_PX, 3), 120, np.uint8)
    return np.concatenate([sides[0], gap, sides[1]], axis=1)


def _size(*answers: Prediction) -> tuple[int, int]:
    """Of the image; where there is no map, as far as its boxes reach."""
    if answers[0].size_hw != (0, 0):
        return answers[0].size_hw
    corners = [said.boxes.xyxy[:, 2:] for said in answers if said.boxes is not None]
    far = np.concatenate([*corners, np.full((1, 2), 64.0)]).max(axis=0)
    return int(np.ceil(far[1])), int(np.ceil(far[0]))


def _drawn(said: Prediction, size_hw: tuple[int, int]) -> np.ndarray:
    scale = min(1.0, SIDE_PX / max(size_hw))
    high, wide = (max(1, round(v * scale)) for v in size_hw)
    paper = np.full((high, wide, 3), PAPER, np.uint8)
    parts: dict[str, Part] = {}
    for task, part in said.parts.items():
        if isinstance(part, LabelMap):
            small = Image.fromarray(part.ids).resize((wide, high), Image.Resampling.NEAREST)
            parts[task] = LabelMap(np.asarray(small))
        elif isinstance(part, Boxes):
            parts[task] = Boxes(part.xyxy * np.float32(scale), part.scores, part.labels)
    small_one = Prediction((high, wide), said.class_names, parts)
    canvas = Image.fromarray(overlay(paper, small_one, opacity=0.9, score_threshold=SHOWN_SCORE))
    for task, part in parts.items():
        if isinstance(part, LabelMap):
            tags = _regions(part.ids, said.class_names[task])
            draw_tags(ImageDraw.Draw(canvas), tags, canvas.size)
    return np.asarray(canvas)


def _regions(ids: np.ndarray, names: list[str]) -> list[Tag]:
    """A tag in each class's region, the largest first."""
    found = []
    for index in np.unique(ids).tolist():
        rows, columns = np.nonzero(ids == index)
        unnamed = index >= len(names) or is_background(names[index])
        if unnamed or len(rows) < _NAMED_SHARE * ids.size:
            continue
        nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
        x, y = float(columns[nearest]), float(rows[nearest])
        tag = Tag(readable(names[index]), color_of(names[index]), (x, y, x, y))
        found.append((len(rows), tag))
    return [tag for _, tag in sorted(found, key=lambda pair: -pair[0])]
