"""The component that takes a visitor's image; reading it is left to ``read_upload``."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import gradio as gr
from gradio.data_classes import ImageData
from gradio.utils import get_upload_folder
from gradio_client.utils import is_http_url_like

from app.language import Refusal


def image_upload(**options: Any) -> gr.Image:
    """An image input that passes the file's path on unread.

    Gradio's own opens the file first, where a file that is no image ends in a traceback
    instead of in a sentence. Replaced on the instance, because Gradio writes a stub file beside
    the source of every subclass.
    """
    component = gr.Image(type="filepath", image_mode=None, **options)
    own = component.preprocess

    def path_only(payload: ImageData | None) -> Any:
        return own(payload) if payload is None or payload.path is None else payload.path

    component.preprocess = path_only  # type: ignore[method-assign]
    return component


def uploaded_path(file: Any) -> Path:
    """The path of a file that a visitor or a program sent, once it is sure that it was sent.

    A request may name any path; only those under Gradio's upload folder came from its sender. An
    assistant names an uploaded file by the address at which the page serves it.

    Raises:
        Refusal: no file, or one that was not uploaded.
    """
    named = file.get("path") if isinstance(file, dict) else getattr(file, "path", file)
    folder = Path(get_upload_folder()).resolve()
    if named and is_http_url_like(str(named)):
        _, is_ours, named = unquote(str(named)).partition("/gradio_api/file=")
        if not is_ours:
            raise Refusal("image.address")
    if not named or folder not in (path := Path(str(named)).resolve()).parents:
        raise Refusal("image.lost")
    return path
