from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.served_page import CHROMIUM

if TYPE_CHECKING:
    import gradio as gr

HERE = Path(__file__).parent
# The same stand-in network and runs as in the tests of the parts.
sys.path.insert(0, str(HERE.parent / "app"))
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

SCREENSHOTS = HERE / "screenshots"
# A machine that trains at the same time may take minutes for what else takes seconds.
PATIENCE_MS = int(os.environ.get("UI_PATIENCE_MS", "60000"))


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Iterator[gr.Blocks]:
    from stand_in import (
        StandInEngine,
        judge,
        make_joint_run,
        make_run,
        make_study,
        make_validation_set,
    )

    from app.page import build_page, launch_options
    from app.services.engines import EngineShelf
    from app.services.runs import RunShelf
    from app.services.teaching import TeachingQueue
    from app.services.validation_images import ValidationImages
    from app.site import Site

    folder = tmp_path_factory.mktemp("runs")
    runs = [make_run(folder, "keeps"), make_run(folder, "forgets", "finetune")]
    runs.append(make_joint_run(folder))
    make_study(folder)
    make_run(folder, "spare")
    validation_images = ValidationImages(make_validation_set(folder / "data", judge(runs[1])))
    shelf, engines = RunShelf(runs), EngineShelf(StandInEngine)
    teaching = TeachingQueue({"train": 16, "val": 5}, epochs=1, cache=folder)
    demo = build_page(Site(shelf, engines, True, validation_images, teaching))
    demo.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    os.environ["SPARE_RUN"] = str(folder / "spare")
    yield demo
    demo.close()
    teaching.close()


@pytest.fixture(scope="session")
def address(demo) -> str:
    return demo.local_url


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(**CHROMIUM, timeout=PATIENCE_MS * 2)
        yield chromium
        chromium.close()


class Visitor:
    """A browser window on the page that remembers every complaint of the console."""

    def __init__(self, browser, address: str, **options) -> None:
        options.setdefault("viewport", {"width": 1360, "height": 900})
        options.setdefault("locale", "en-US")
        # Animations are for eyes; a test wants the end of them.
        options.setdefault("reduced_motion", "reduce")
        self.address = address
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", self._fail)
        self.page.on("request", lambda request: self.requests.append(request.url))

    def _hear(self, message) -> None:
        if message.type == "error":
            self._fail(message.text)

    def _fail(self, told) -> None:
        # Leaving a page cuts its streams, of which Gradio complains.
        if not any(cut in str(told) for cut in ("AbortError", "Connection errored out")):
            self.complaints.append(str(told))

    def open(self, query: str = "") -> Visitor:
        """Open the page and wait until the viewer has drawn the last stage, or the one asked."""
        self.page.goto(self.address + query, timeout=PATIENCE_MS * 3)
        asked = re.search(r"(?:stage=|right=\w+:)(\d)", query)  # right names run and stage
        elsewhere = re.search(r"tab=(?!compare)", query)  # the viewer is drawn out of sight there
        state = "attached" if elsewhere else "visible"
        self.wait_stage(int(asked.group(1)) if asked else 3, state)
        return self

    def wait_stage(self, number: int, state="visible") -> None:
        place = f'.ov[data-ready=yes][data-stage="{number}"]'
        self.page.wait_for_selector(place, state=state)

    def viewer(self, name: str) -> str:
        return self.page.evaluate(f"document.querySelector('.ov').dataset.{name}")

    def wait_checked(self, run: str) -> None:
        self.page.wait_for_function(
            """run => [...document.querySelectorAll('#run input')]
                 .some(input => input.checked && input.value === run)""",
            arg=run,
        )

    def wait_other_answer(self, key: str) -> None:
        self.page.wait_for_function(
            "key => document.querySelector('.ov').dataset.key !== key", arg=key
        )

    def pixel(self, x: float, y: float) -> tuple[int, int, int]:
        """Colour on the large image at a fraction of its width and height."""
        return tuple(
            self.page.evaluate(
                """([x, y]) => {
                  const canvas = document.querySelector('.ov-canvas');
                  const at = [Math.round(x * canvas.width), Math.round(y * canvas.height), 1, 1];
                  return [...canvas.getContext('2d').getImageData(...at).data.slice(0, 3)];
                }""",
                [x, y],
            )
        )

    def slide(self, selector: str, value: float) -> None:
        self.page.eval_on_selector(
            selector,
            "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }",
            value,
        )

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()

    def shoot(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def wait_drawn(self, elem_id: str) -> None:
        """Wait until a Plotly figure stands in this component with a width one can read."""
        self.page.wait_for_function(
            """id => {
              const svg = document.querySelector(`#${id} .js-plotly-plot .main-svg`);
              return svg && svg.getBoundingClientRect().width > 200;
            }""",
            arg=elem_id,
        )


@pytest.fixture
def visit(browser, address) -> Iterator:
    """Opens windows; after the test none of them may have complained."""
    visitors: list[Visitor] = []

    def opening(query: str = "", **options) -> Visitor:
        visitor = Visitor(browser, address, **options)
        visitors.append(visitor)
        return visitor.open(query)

    yield opening
    heard = [text for visitor in visitors for text in visitor.complaints]
    for visitor in visitors:
        visitor.context.close()
    assert not heard
