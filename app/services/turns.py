"""One visitor's requests one after another, while those of others go on."""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr


class Turns:
    """Whose turn it is, per visitor: each is answered in the order in which its requests come.

    Gradio starts several requests at once, in their order; a later one would overtake one whose
    networks have to be opened first, and the page would show what was asked before.
    """

    def __init__(self) -> None:
        self._lines: dict[str, deque[object]] = {}  # tickets, the first is being answered
        self._moved = threading.Condition()

    def taken(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """The callback, which waits for earlier ones of the same visitor."""

        @functools.wraps(callback)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            given = (*args, *kwargs.values())
            request = next((a for a in given if isinstance(a, gr.Request)), None)
            with self._turn_of(str(getattr(request, "session_hash", None))):
                return callback(*args, **kwargs)

        return wrapped

    @contextmanager
    def _turn_of(self, visitor: str) -> Iterator[None]:
        ticket = object()
        with self._moved:
            line = self._lines.setdefault(visitor, deque())
            line.append(ticket)
            self._moved.wait_for(lambda: line[0] is ticket)
        try:
            yield
        finally:
            with self._moved:
                line.popleft()
                if not line:
                    del self._lines[visitor]
                self._moved.notify_all()
