"""The component that takes a visitor's picture, and leaves reading it to ``picture.read_upload``."""

from __future__ import annotations

import gradio as gr
from gradio.data_classes import ImageData

from gradio.events import Dependency

class PictureUpload(gr.Image):
    """An image input that passes the file's path on unread.

    Gradio's own opens the file first, where a file that is no picture ends in a traceback
    instead of in a sentence.
    """

    def preprocess(self, payload: ImageData | None) -> str | None:
        """The path of the uploaded file."""
        if payload is None or payload.path is None:
            return super().preprocess(payload)
        return payload.path

    def get_block_name(self) -> str:
        """Drawn by Gradio's own image component."""
        return "image"
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component