"""The component that takes a visitor's picture; reading it is left to ``picture.read_upload``."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.data_classes import ImageData


def picture_upload(**options: Any) -> gr.Image:
    """An image input that passes the file's path on unread.

    Gradio's own opens the file first, where a file that is no picture ends in a traceback
    instead of in a sentence. Replaced on the instance, because Gradio writes a stub file beside
    the source of every subclass.
    """
    component = gr.Image(type="filepath", image_mode=None, **options)
    own = component.preprocess

    def path_only(payload: ImageData | None) -> Any:
        return own(payload) if payload is None or payload.path is None else payload.path

    component.preprocess = path_only  # type: ignore[method-assign]
    return component
