"""What the serving process gives back."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

# Blocks of some kilobytes, of which every hundredth stays: all pages between them are free.
SCATTERED = """
import time
from pathlib import Path
from app.services import memory
memory.GIVEN_BACK_EVERY_S = 0.1
memory.keep_small()
blocks = [bytearray(3000) for _ in range(50_000)]
held = lambda: int(Path("/proc/self/statm").read_text().split()[1])
most, kept = held(), blocks[::100]
del blocks
end = time.monotonic() + 20
while held() > most / 2 and time.monotonic() < end:
    time.sleep(0.05)
print(held() / most)
"""


IS_GNU = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim")


@pytest.mark.skipif(not IS_GNU, reason="other C libraries keep no freed pages")
def test_freed_pages_among_used_ones_go_back():
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", SCATTERED]
    said = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    assert float(said) < 0.5
