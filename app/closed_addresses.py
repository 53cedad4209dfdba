"""Addresses that the page does not fetch: it is no way for strangers into other servers."""

from __future__ import annotations

import re
from urllib.parse import unquote

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

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
