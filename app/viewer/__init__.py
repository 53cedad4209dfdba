"""The stage viewer: a Gradio HTML component that is sent all stages once and draws by itself."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from app.language import Words

_HERE = Path(__file__).parent
# Order matters: the parts run as one function body, and the last one starts the viewer.
_DRAWING = ("drawing.js", "panels.js", "changes.js")
_SCRIPTS = (*_DRAWING, "viewer.js", "labels.js", "controls.js")


def drawing_scripts() -> str:
    """What draws answers and says them in words, for a component's own script to follow."""
    return "\n".join(_read(name) for name in _DRAWING)


def stage_viewer() -> gr.HTML:
    """The component; its value is what ``payload.viewer_payload`` makes."""
    return gr.HTML(
        value={"message": Words("en")("viewer.empty")},
        html_template=_read("viewer.html"),
        css_template=_read("viewer.css"),
        js_on_load="\n".join(_read(name) for name in _SCRIPTS),
        apply_default_css=False,
        elem_id="stage-viewer",
        min_height=320,
    )


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
