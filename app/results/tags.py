"""Small coloured tags with words, placed where no better one stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from PIL import ImageDraw, ImageFont

from app.palette import ink_on

_Room = tuple[float, float, float, float]


@dataclass(frozen=True)
class Tag:
    """A tag that is to be drawn.

    Attributes:
        text: what it says.
        color: its ground, ``#RRGGBB``.
        box: xyxy in pixels of what it names.
    """

    text: str
    color: str
    box: _Room


def draw_tags(pen: ImageDraw.ImageDraw, tags: Iterable[Tag], size_wh: tuple[int, int]) -> None:
    """Draw them, the best first; one that finds no room is left out, as on the page.

    A tag stands above its box, else inside it or below, where none of the earlier ones is.
    """
    font = _font(max(13, round(max(size_wh) / 46)))
    taken: list[_Room] = []
    for tag in tags:
        left, top, right, bottom = pen.textbbox((0, 0), tag.text, font=font)
        size = right - left + 8, bottom - top + 6
        room = next((r for r in _rooms(tag.box, size, size_wh) if not _meets(r, taken)), None)
        if room is None:
            continue
        taken.append(room)
        pen.rectangle(room, fill=tag.color)
        x, y = room[0] + 4 - left, room[1] + 3 - top
        pen.text((x, y), tag.text, fill=ink_on(tag.color), font=font)


def _rooms(box: _Room, size_wh: tuple[float, float], canvas_wh: tuple[int, int]) -> Iterable[_Room]:
    (left, top, right, bottom), (wide, high) = box, size_wh
    for y in (top - high, top, bottom - high, bottom, top + high, top + 2 * high):
        if not 0 <= y <= canvas_wh[1] - high:
            continue
        for x in (left, right - wide):
            x = max(0.0, min(x, canvas_wh[0] - wide))
            yield x, y, x + wide, y + high


def _meets(room: _Room, taken: list[_Room]) -> bool:
    return any(
        room[0] < o[2] and o[0] < room[2] and room[1] < o[3] and o[1] < room[3] for o in taken
    )


@lru_cache(maxsize=16)
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
