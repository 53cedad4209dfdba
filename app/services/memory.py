"""What the serving process keeps of the memory that it no longer needs."""

from __future__ import annotations

import ctypes
import sys

_M_ARENA_MAX = -8  # malloc.h of the GNU C library
_ARENAS = 2


def share_arenas() -> None:
    """Let the page's many threads allocate from two arenas.

    By default the GNU C library gives every thread its own, each of which keeps what the largest
    image in it took. Other C libraries have no such arenas, and are left alone.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
