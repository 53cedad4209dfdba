"""One visitor's requests one after another, while those of others go on."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

import gradio as gr


class Turns:
    """Whose turn it is, per visitor: what was asked last must not be answered before the rest.

    Gradio starts several requests at once, in their order; a later one would overtake one whose
    networks have to be opened first, and the page would show what was asked before.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, _Turn] = WeakValueDictionary()
        self._taking = threading.Lock()

    def taken(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """The callback, which waits for earlier ones of the same visitor."""

        @functools.wraps(callback)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            given = (*args, *kwargs.values())
            request = next((a for a in given if isinstance(a, gr.Request)), None)
            turn = self._of(str(getattr(request, "session_hash", None)))
            with turn.lock:
                return callback(*args, **kwargs)

        return wrapped

    def _of(self, visitor: str) -> _Turn:
        with self._taking:
            turn = self._locks.get(visitor)
            if turn is None:
                turn = self._locks[visitor] = _Turn()
            return turn


class _Turn:
    """A lock that can be held weakly."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
