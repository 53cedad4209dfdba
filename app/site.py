"""What all tabs share: the runs, the networks, and the words for each visitor."""

from __future__ import annotations

import functools
import html
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from app.language import Refusal, Words, language_of
from app.services.engines import EngineShelf
from app.services.runs import RunShelf
from app.services.stored_predictions import StoredPredictions
from app.services.teaching import TeachingQueue
from app.services.turns import Turns
from app.services.validation_images import ValidationImages
from mtl_core.types import InputError

# Networks take turns (EngineShelf); the further places keep a run that is being opened from making
# visitors of other runs wait. Requests that wait for an earlier one of their own visitor (Turns)
# hold places, too. Measuring has its own place: an image waits for single passes of it alone.
IMAGES: dict[str, Any] = {"concurrency_id": "images", "concurrency_limit": 4}
MEASURES: dict[str, Any] = {"concurrency_id": "measures", "concurrency_limit": 1}
QUICK: dict[str, Any] = {"concurrency_id": "quick", "concurrency_limit": 4}


@dataclass(frozen=True)
class Site:
    """The shelf of runs and the shelf of networks behind the page.

    Attributes:
        local: whether only this machine's user can reach the page, who may then open any
            directory as a run; on a public host that would let strangers subset the disk.
        validation_images: the validation images behind the runs, where they are at hand.
        teaching: the trainings that visitors start.
        turns: in which each visitor's requests for answers to images are answered.
        stored: what the runs kept of their answers.
        repository: address of the source code, to which the page links; empty means nowhere.
    """

    runs: RunShelf
    engines: EngineShelf
    local: bool = False
    validation_images: ValidationImages | None = None
    teaching: TeachingQueue = field(default_factory=TeachingQueue)
    turns: Turns = field(default_factory=Turns)
    stored: StoredPredictions = field(default_factory=StoredPredictions)
    repository: str = ""

    def forget_run(self, path: Path) -> None:
        """Let go of a run whose directory is about to be removed."""
        self.runs.remove(path)
        self.engines.forget(path)


def visitor_of(request: gr.Request | None) -> str:
    """By which a visitor's own things are kept apart from those of others."""
    return str(request.session_hash) if request else ""


def words_for(request: gr.Request | None) -> Words:
    """The words in the language that this visitor's browser asks for."""
    if request is None:
        return Words("en")
    headers = request.headers or {}
    query = dict(request.query_params or {})
    return Words(language_of(query, headers.get("accept-language", "")))


_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def from_this_machine(request: gr.Request | None) -> bool:
    """Whether a request comes from a browser on this machine, with nobody passing it on."""
    if request is None or request.client is None:
        return False
    headers = request.headers or {}
    name = headers.get("host", "").rsplit(":", 1)[0].strip("[]")
    return (
        request.client.host in ("127.0.0.1", "::1")
        and name in ("127.0.0.1", "localhost", "::1")
        and not any(header in headers for header in _FORWARDED)
    )


def may_load_torch(site: Site, request: gr.Request | None) -> bool:
    """Whether a measurement in PyTorch may be asked for: never by a visitor of a public page."""
    return site.local and from_this_machine(request)


def says_refusals(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Let bad input reach the visitor as its one sentence instead of as a failure."""

    @functools.wraps(callback)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return callback(*args, **kwargs)
        except InputError as error:
            given = (*args, *kwargs.values())
            words = words_for(next((a for a in given if isinstance(a, gr.Request)), None))
            said = error.sentence.said(words) if isinstance(error, Refusal) else str(error)
            # The toast renders HTML, and a sentence may quote what came with the address.
            message = html.escape(said, quote=False)
            title = words("toast.refused")
            raise gr.Error(message, 10, title=title, print_exception=False) from error

    return wrapped


def machine_name() -> str:
    """The machine that serves the page, in a few words."""
    return f"{platform.machine()}, {os.cpu_count()} CPU"
