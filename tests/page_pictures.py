"""The pictures of the documents: the page with the shipped runs, as Chromium draws it.

``python -m tests.page_pictures`` starts app.py and writes them to ``assets/images``.
"""

from __future__ import annotations

from playwright.sync_api import Page, sync_playwright

from tests.page_times import READY
from tests.served_page import CHROMIUM, ROOT, served

IMAGES = ROOT / "assets" / "images"
WAIT_MS, SETTLE_MS = 120_000, 1500  # for what is drawn, and until it moves no more
# By file: the address's state, and what is taken of the tab; the first screen is taken whole.
PICTURES = {
    "compare": ("tab=compare", ""),
    "forgetting": ("tab=forgetting&run=onehead-finetune", "#tab-forgetting"),
    "methods": ("tab=forgetting&run=mini-distill", "#methods"),
    "latency": ("tab=latency&run=onehead", "#reference-ratios"),
}


def take(page: Page, address: str, part: str, name: str) -> None:
    """One picture, once everything on it is drawn."""
    page.goto(address)
    page.wait_for_function(READY, timeout=WAIT_MS)
    if part:
        plots = "#curve, #matrix, #classes, #methods" if "forgetting" in address else part
        for plot in plots.split(", "):
            page.wait_for_selector(f"{plot} .main-svg", timeout=WAIT_MS)
    page.wait_for_timeout(SETTLE_MS)
    file = str(IMAGES / f"{name}.png")
    page.locator(part).screenshot(path=file) if part else page.screenshot(path=file)


def main() -> None:
    """Take all of them."""
    with served() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(**CHROMIUM)
        page = browser.new_page(viewport={"width": 1360, "height": 800}, locale="en-US")
        for name, (state, part) in PICTURES.items():
            take(page, f"{server.address}?{state}", part, name)
            print(f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
