"""What a link to the page shows where it is shared, and the files that the page serves itself."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.language import Words
from app.project_documents import PREFIX, document

IMAGE = Path(__file__).resolve().parents[1] / "assets" / "images" / "share.jpg"
_IMAGE_PATH = "/share.jpg"
_TAG = re.compile(r'(<meta\s+(?:property|name)="(?:og|twitter):(\w+)"\s+content=")[^"]*(")')


def with_card(page: str, address: str) -> str:
    """The page's HTML with its share card instead of the framework's.

    Args:
        page: HTML.
        address: of the page, without a slash at its end.
    """
    card = {
        "title": "OneHead",
        "description": Words("en")("tagline"),
        "url": f"{address}/",
        "image": f"{address}{_IMAGE_PATH}",
        "creator": "",
    }

    def own(found: re.Match[str]) -> str:
        if found[2] not in card:
            return found[0]
        return f"{found[1]}{escape(card[found[2]])}{found[3]}"

    return _TAG.sub(own, page)


class ShareCard:
    """Puts the card into the page as it is sent; crawlers run no scripts."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on but the page itself, the card's image and the documents."""
        if scope["type"] == "http" and scope["path"] == _IMAGE_PATH:
            return await FileResponse(IMAGE)(scope, receive, send)
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            return await document(scope["path"].removeprefix(PREFIX))(scope, receive, send)
        if scope["type"] != "http" or scope["path"] != "/":
            return await self.app(scope, receive, send)
        start: dict[str, Any] = {}
        body = bytearray()

        async def hold(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            content, headers = bytes(body), MutableHeaders(raw=start["headers"])
            if headers.get("content-type", "").startswith("text/html"):
                address = str(Request(scope).base_url).rstrip("/")
                content = with_card(content.decode(), address).encode()
                headers["content-length"] = str(len(content))
            await send(start)
            await send({"type": "http.response.body", "body": content})

        await self.app(scope, receive, hold)
