"""A row of example images: named buttons, so that keyboards and screen readers can choose too."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path

import gradio as gr
from PIL import Image, ImageOps

from app.language import Words
from app.services.viewed_image import example_images

_THUMBNAIL_PX = 144
_CHOOSE = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-example]");
  if (button) trigger("select", { value: button.dataset.example });
});
"""
_STYLE = """
.row { display: grid; grid-template-columns: repeat(auto-fill, minmax(72px, 1fr)); gap: 8px; }
h3 { margin: 0 0 8px; font-size: 13px; font-weight: 600; color: var(--body-text-color); }
button { all: unset; cursor: pointer; border-radius: 10px; overflow: hidden; line-height: 0;
  border: 1px solid var(--border-color-primary); }
button:hover { border-color: var(--color-accent); }
button:focus-visible { outline: 2px solid var(--color-accent); outline-offset: 2px; }
img { width: 100%; aspect-ratio: 1; object-fit: cover; display: block; margin: 0; }
"""


def examples_row() -> gr.HTML:
    """The component; its ``select`` event carries the chosen example's name."""
    return gr.HTML(
        value=examples_html(Words("en")),
        css_template=_STYLE,
        js_on_load=_CHOOSE,
        apply_default_css=False,
        elem_id="examples",
    )


def examples_html(words: Words) -> str:
    """The row in the visitor's language."""
    buttons = "".join(
        f'<button type="button" data-example="{escape(name)}">'
        f'<img alt="{escape(example_alt(name, words))}" src="{_thumbnail(path)}"></button>'
        for name, path in example_images().items()
    )
    return f'<h3>{escape(words("examples"))}</h3><div class="row">{buttons}</div>'


def example_alt(name: str, words: Words) -> str:
    """An example image in words, as one."""
    return words("examples.alt", name=example_told(name, words))


def example_told(name: str, words: Words) -> str:
    """What an example image shows."""
    return words.table.get(f"example.{name}", name)


def _thumbnail(path: Path) -> str:
    with Image.open(path) as image:
        small = ImageOps.fit(image.convert("RGB"), (_THUMBNAIL_PX, _THUMBNAIL_PX))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
