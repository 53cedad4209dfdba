"""What the colours of masks and boxes mean."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from app.language import Words
from app.palette import color_of


def legend_html(classes: Iterable[str], words: Words) -> str:
    """A list of these classes, each behind its colour."""
    marks = "".join(
        f"<li style='--c:{color_of(name)}'>{escape(words.class_name(name))}</li>"
        for name in classes
    )
    return f"<ul class='oh-legend'>{marks}</ul>"
