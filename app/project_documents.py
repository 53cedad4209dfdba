"""The project's own documents as pages: they name the shipped runs' scores and how they came."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from starlette.responses import FileResponse, HTMLResponse, Response

_ROOT = Path(__file__).resolve().parents[1]
# Under this they keep their places, so that their links to one another hold.
PREFIX = "/project/"
RESULTS = "docs/results.md"
_SERVED = ("*.md", "LICENSE", "docs/*.md", "assets/**/*.md", "assets/images/*")
_STYLE = """
:root { color-scheme: light dark; }
body { max-width: 960px; margin: 24px auto; padding: 0 16px; font: 15px/1.5 system-ui, sans-serif; }
img { max-width: 100%; }
table { display: block; overflow-x: auto; border-collapse: collapse; font-size: 13.5px; }
th, td { padding: 5px 10px; border-bottom: 1px solid #8885; text-align: left; }
pre { overflow-x: auto; padding: 10px; background: #8882; }
"""


@lru_cache
def _served() -> dict[str, Path]:
    """Every file that may be asked for, by its place in the project."""
    found = (file for pattern in _SERVED for file in _ROOT.glob(pattern) if file.is_file())
    return {file.relative_to(_ROOT).as_posix(): file for file in found}


def is_served(place: str) -> bool:
    """Whether the file is here; an installed package comes without the documents."""
    return place in _served()


def document(place: str) -> Response:
    """A document as HTML, another file as it is; what is none of them is not found.

    Args:
        place: of the file in the project, with slashes.
    """
    file = _served().get(place)
    if file is None:
        return HTMLResponse("This page serves no such file.", 404)
    if file.suffix != ".md":
        return FileResponse(file)
    # A model card begins with what the Hub reads.
    text = re.sub(r"\A---\n.*?\n---\n", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    title = next((line[2:] for line in text.splitlines() if line.startswith("# ")), place)
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return HTMLResponse(
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escape(title)} · OneHead</title><style>{_STYLE}</style><main>{body}</main></html>"
    )
