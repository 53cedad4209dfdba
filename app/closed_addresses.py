"""Addresses that the page does not fetch: it is no way for strangers into other servers."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import gradio as gr
from gradio.blocks import Block
from gradio_client.utils import is_http_url_like
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.components.upload import uploaded_path
from app.language import Refusal

# Gradio would fetch what a file's path or a proxied Space names, of any size, and pass it on.
_ELSEWHERE = re.compile(r"/(file|proxy|reverse_proxy)=?/?\w{2,}:/", re.IGNORECASE)


class ClosedAddresses:
    """Refuses requests to fetch another server's files."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on but such requests."""
        if scope["type"] == "http" and _ELSEWHERE.search(unquote(scope["path"])):
            refusal = PlainTextResponse("The page fetches nothing from other servers.", 403)
            return await refusal(scope, receive, send)
        await self.app(scope, receive, send)


_INTO_CACHE = Block.async_move_resource_to_block_cache


async def _sent_alone(self: Block, url_or_file_path: str | Path | None) -> str | None:
    if is_http_url_like(url_or_file_path):
        try:
            url_or_file_path = uploaded_path(url_or_file_path)
        except Refusal as refusal:
            raise gr.Error(str(refusal), print_exception=False) from None
    return await _INTO_CACHE(self, url_or_file_path)


def never_fetch() -> None:
    """Let no component fetch an address that a request names as a file.

    Gradio would, for whatever input of an event or endpoint the file is sent as, a choice or a
    number among them. Replaced on the class: an update makes a visitor's component anew.
    """
    Block.async_move_resource_to_block_cache = _sent_alone  # type: ignore[method-assign]
