"""Quick random hands: after they rest, what is shown is what is named.

Two rounds of 40 here; ``make rapid`` runs ten of 100.
"""

from __future__ import annotations

import os
import random
import re

import numpy as np
import pytest
from PIL import Image
from stand_in import NAMES, boxes, mask

from app.palette import rgb_of
from app.services.viewed_image import example_images
from tests.ui.conftest import PATIENCE_MS

ROUNDS = int(os.environ.get("UI_ROUNDS", "2"))
ACTIONS = int(os.environ.get("UI_ACTIONS", "40"))
RUNS = ("keeps", "forgets", "joint")
# Of a region's inside at full opacity, as the viewer draws it.
STRENGTH = 205 / 255
PLACES = ((0.42, 0.5), (0.46, 0.42), (0.54, 0.42), (0.58, 0.52), (0.06, 0.93), (0.95, 0.93))
SETTLED = """() => {
  const run = document.querySelector('#run input:checked');
  return document.querySelector('.ov').dataset.run === run.value;
}"""


def act(visitor, hand: random.Random) -> str:
    """One quick action, without waiting for what it sets off; what it was."""
    page = visitor.page
    kind = hand.choice(("run", "run", "stage", "slider", "example", "tab", "language", "swap"))
    script = "place => { const e = document.querySelector(place); if (e) e.click(); }"
    if kind == "run":
        what = f'#run input[value="{hand.choice(RUNS)}"]'
    elif kind == "stage":
        what = f".ov-stop:nth-child({hand.randint(1, 3)})"
    elif kind == "example":
        what = f'[data-example="{hand.choice(list(example_images()))}"]'
    elif kind == "tab":
        what = f"#tabs [role=tab]:nth-of-type({hand.randint(1, 6)})"
    elif kind == "language":
        what = "a[data-language]"
    elif kind == "swap":
        what = "#swap"
    else:
        what, value = hand.choice((".ov-threshold", ".ov-opacity")), hand.randint(1, 18) / 20
        visitor.slide(what, value)
        return f"{what} {value}"
    page.evaluate(script, what)
    return what


def rest(visitor) -> None:
    """Wait until nothing has come for a while and the choice above names what is shown."""
    page, quiet, before = visitor.page, 0, None
    for _ in range(PATIENCE_MS // 250):
        now = page.evaluate(
            "() => [JSON.stringify({...document.querySelector('.ov').dataset}), location.search]"
        )
        quiet = quiet + 1 if now == before and page.evaluate(SETTLED) else 0
        if quiet == 16:
            return
        before = now
        page.wait_for_timeout(250)


def said_of(run: str, stage: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Mask and box scores that the network gives: the rule that it answers by."""
    wide, high = size
    number = 3 if run == "joint" else stage
    return mask(high, wide, number if run == "forgets" else 1), boxes(high, wide, number).scores


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_what_is_shown_is_what_is_named_after_quick_hands(visit, seed):
    visitor, hand, done = visit("?left=none"), random.Random(seed), []
    page = visitor.page
    for _ in range(ACTIONS):
        done.append(act(visitor, hand))
        page.wait_for_timeout(hand.choice((0, 0, 30, 120)))
    rest(visitor)
    page.locator("#tabs [role=tab]").first.click()
    trail = "; ".join(done)
    run, example = visitor.viewer("run"), visitor.viewer("example")
    stage = int(visitor.viewer("stage"))
    assert page.locator("#run input:checked").input_value() == run, trail
    number = re.search(r"(\d)$", page.inner_text(".ov-name-right"))
    assert f"({run})" in page.inner_text(".ov-name-right") and number, trail
    assert int(number[1]) == stage, trail
    address = dict(part.split("=") for part in page.url.partition("?")[2].split("&"))
    assert (address["run"], address["stage"]) == (run, str(stage)), trail
    # The image in the upload is the one that is answered.
    upload = page.locator("#image img").get_attribute("src")
    photo = Image.open(example_images()[example]).convert("RGB")
    same = page.evaluate(
        """async ([source, size]) => {
          const image = new Image(); image.src = source; await image.decode();
          return [image.naturalWidth, image.naturalHeight].join() === size.join();
        }""",
        [upload, list(photo.size)],
    )
    assert same and example in upload, (upload, example, trail)
    # What is drawn is what the network says of that image at that stage.
    if page.locator(".ov-divider").is_visible():
        page.focus(".ov-divider")
        page.keyboard.press("Home")
    visitor.slide(".ov-opacity", 1)
    threshold = float(page.input_value(".ov-threshold"))
    said, scores = said_of(run, stage, photo.size)
    shown = sum(scores >= threshold) if stage > 1 else 0
    assert visitor.viewer("boxes") == str(shown), trail
    page.locator(".ov-show-boxes").uncheck()
    pixels = np.asarray(photo, np.float32)
    for x, y in PLACES:
        row, column = int(y * photo.height), int(x * photo.width)
        around = pixels[row - 3 : row + 4, column - 3 : column + 4]
        name = NAMES["seg"][said[row, column]]
        expected = around.mean(axis=(0, 1))
        room = np.ptp(around, axis=(0, 1)).max() + 12
        if name != "background":
            expected = expected * (1 - STRENGTH) + np.array(rgb_of(name)) * STRENGTH
            room *= 1 - STRENGTH
        found = np.array(visitor.pixel(x, y), np.float32)
        assert np.abs(found - expected).max() <= room + 12, (x, y, name, run, stage, trail)
