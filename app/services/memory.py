"""What the serving process keeps of the memory that it no longer needs."""

from __future__ import annotations

import ctypes
import sys
import threading
import time

_M_ARENA_MAX = -8  # malloc.h of the GNU C library
_ARENAS = 2
GIVEN_BACK_EVERY_S = 10.0


def keep_small() -> None:
    """Hold the process near the memory that it uses, where its C library is GNU's.

    That library gives every one of the page's many threads an arena of its own, each of which keeps
    what the largest image in it took; they share two. And it keeps freed pages that lie among
    others in use: they go back to the system.
    """
    if sys.platform != "linux" or not hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        return
    library.mallopt(_M_ARENA_MAX, _ARENAS)
    threading.Thread(target=_give_back, args=(library,), name="memory", daemon=True).start()


def _give_back(library: ctypes.CDLL) -> None:
    while True:
        time.sleep(GIVEN_BACK_EVERY_S)
        library.malloc_trim(0)
