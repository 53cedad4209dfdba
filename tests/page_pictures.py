"""The pictures of the documents: the page with the shipped runs, as Chromium draws it.

``python -m tests.page_pictures`` starts app.py and writes them to ``assets/images``.
"""

from __future__ import annotations

from playwright.sync_api import Page, sync_playwright

from tests.page_times import READY
from tests.served_page import CHROMIUM, ROOT, served

IMAGES = ROOT / "assets" / "images"
WAIT_MS, SETTLE_MS = 120_000, 1500  # for what is drawn, and until it moves no more
# By file: the address's state, what is taken, and the figures that are waited for.
PICTURES = {
    "compare": ("tab=compare", "body", []),
    "forgetting": (
        "tab=forgetting&run=onehead-finetune",
        "#tab-forgetting",
        ["curve", "matrix", "classes", "methods"],
    ),
    "methods": ("tab=forgetting&run=mini-distill", "#methods", ["methods"]),
    "latency": ("tab=latency&run=onehead", "#reference-ratios", ["reference-ratios"]),
}


def take(page: Page, address: str, part: str, figures: list[str], name: str) -> None:
    """One picture, once everything on it is drawn; the whole page as far as it is in sight."""
    page.goto(address)
    page.wait_for_function(READY, timeout=WAIT_MS)
    for figure in figures:
        page.wait_for_selector(f"#{figure} .main-svg", timeout=WAIT_MS)
    page.wait_for_timeout(SETTLE_MS)
    taken = page if part == "body" else page.locator(part)
    taken.screenshot(path=IMAGES / f"{name}.png")


def main() -> None:
    """Take all of them."""
    with served() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(**CHROMIUM)
        page = browser.new_page(viewport={"width": 1360, "height": 800}, locale="en-US")
        for name, (state, part, figures) in PICTURES.items():
            take(page, f"{server.address}?{state}", part, figures, name)
            print(f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
