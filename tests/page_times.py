"""How long a visitor waits: the cold start, the first image, an upload, a move of the scrubber;
and how much memory the page holds.

``python -m tests.page_times`` starts app.py with the shipped runs, opens it in Chromium and prints
what it measured; it judges nothing. Graphs are taken from the cache as a second start finds them.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.served_page import CHROMIUM, memory_mb, served
from training.timing.image_path import PHOTO_HW, jpeg, scene

UPLOADS, WARM_UP, MOVES, PAUSE_MS = 12, 2, 30, 1000
# Asked before every frame; a selector would be asked at intervals that grow to half a second.
READY = "document.querySelector('.ov')?.dataset.ready === 'yes'"
# Move the scrubber, then wait until the page has painted the stage that was asked for.
SCRUB = """async stage => {
  const slider = document.querySelector('.ov-range'), view = document.querySelector('.ov');
  const start = performance.now();
  slider.value = stage - 1;
  slider.dispatchEvent(new Event('input'));
  do await new Promise(requestAnimationFrame);
  while (view.dataset.stage !== String(stage));
  return performance.now() - start;
}"""


def upload_ms(page: Page, photo: Path) -> float:
    """From choosing a file to the last stage drawn."""
    page.get_by_role("button", name="Remove Image").click()
    page.wait_for_selector('.ov[data-ready="no"]')
    page.wait_for_timeout(PAUSE_MS)  # nobody chooses a file in the moment of a click
    start = time.perf_counter()
    page.set_input_files("#image input[type=file]", photo)
    page.wait_for_function(READY)
    return (time.perf_counter() - start) * 1e3


def told(name: str, times_ms: Sequence[float]) -> None:
    """A line with the median and the range."""
    median, low, high = statistics.median(times_ms), min(times_ms), max(times_ms)
    print(f"{name}: median {median:.0f} ms ({low:.0f} to {high:.0f}, n = {len(times_ms)})")


def measure(address: str, folder: Path) -> None:
    """Visit the page once, as a person would."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**CHROMIUM)
        page = browser.new_page(viewport={"width": 1360, "height": 900}, locale="en-US")
        start = time.perf_counter()
        page.goto(address)
        page.wait_for_function(READY, timeout=60_000)
        print(f"First image drawn {time.perf_counter() - start:.1f} s after opening the page.")
        uploads = []
        for number in range(WARM_UP + UPLOADS):
            photo = folder / f"{number}.jpg"  # another one each time: none is answered from a cache
            photo.write_bytes(jpeg(scene(PHOTO_HW, seed=number)))
            uploads.append(upload_ms(page, photo))
        told("Upload of a 1280 x 960 JPEG to all stages drawn", uploads[WARM_UP:])
        told(
            "Move of the scrubber to the stage painted",
            [page.evaluate(SCRUB, 1 + number % 3) for number in range(MOVES)],
        )
        browser.close()


def main() -> None:
    """Start the page twice, the second time from cached graphs, and visit it."""
    with tempfile.TemporaryDirectory() as folder:
        for start in ("empty cache", "cached graphs"):
            with served(ONEHEAD_CACHE=str(Path(folder) / "cache")) as page:
                print(f"Page ready {page.start_s:.1f} s after its start, {start}.")
                measure(page.address, Path(folder))
                print(f"Most memory that the server held: {memory_mb('VmHWM', page.pid):.0f} MB.")


if __name__ == "__main__":
    main()
