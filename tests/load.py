"""Many at once: programs and browsers, each with images of its own, each answer held to its image.

python -m tests.load --programs 50 --browsers 20 --requests 3
"""

from __future__ import annotations

import asyncio
import io
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import tyro
from PIL import Image

from app.services.viewed_image import example_images
from tests.served_page import ANSWER_S, CHROMIUM, PageClient, Refused, served

# What Gradio's page shows of the queue, noted whenever it is drawn; to read the whole page at every
# change would keep it from doing anything else.
NOTE_PLACE = """new MutationObserver((changes) => {
  for (const { target } of changes) {
    const shown = target.textContent;
    if (shown.length < 200 && /(queue: \\d+\\/\\d+|processing) \\|/.test(shown)) window.told = true;
  }
}).observe(document, { childList: true, subtree: true, characterData: true });"""


@dataclass
class Tally:
    """What became of all requests.

    Attributes:
        right: answers to the image that was sent.
        faults: a sentence for each request that was refused, lost, or answered with another image.
        untold: requests whose sender was not told a place in the queue.
        farthest: the last place that anybody was told.
        waits_s: from sending to the answer.
    """

    right: int = 0
    faults: list[str] = field(default_factory=list)
    untold: int = 0
    farthest: int = 0
    waits_s: list[float] = field(default_factory=list)


def images(count: int) -> list[bytes]:
    """JPEG files, each of a size and of proportions of its own."""
    sources = [Image.open(path).convert("RGB") for path in example_images().values()]
    rng = np.random.default_rng(0)
    found = []
    for number in range(count):
        source = sources[number % len(sources)]
        left, top = (rng.integers(0, side // 4) for side in source.size)
        part = source.crop((int(left), int(top), source.width, source.height))
        buffer = io.BytesIO()
        part.resize((320 + 2 * number, 640 - 2 * number)).save(buffer, "JPEG", quality=90)
        found.append(buffer.getvalue())
    return found


def size_hw(content: bytes) -> list[int]:
    """Height and width of an image file."""
    with Image.open(io.BytesIO(content)) as image:
        return [image.height, image.width]


async def alone(address: str, files: Sequence[bytes]) -> list[dict[str, Any]]:
    """The answer to every image when nobody else asks."""
    async with PageClient(address) as client:
        return [(await predicted(client, "alone", image))[0] for image in files]


async def predicted(
    client: PageClient, session: str, image: bytes
) -> tuple[dict[str, Any], int | None]:
    """The last stage's answer to an image, and the place in the queue that was told first."""
    return await client.ask(session, "predict", await client.uploaded(image), "", 0)


async def crowd(
    address: str, files: Sequence[bytes], expected: Sequence[dict[str, Any]], programs: int
) -> Tally:
    """All programs at once, each with its share of the images, one after the other."""
    tally = Tally()
    async with PageClient(address) as client:

        async def work(number: int) -> None:
            session = secrets.token_hex(8)
            for index in range(number, len(files), programs):
                start = time.monotonic()
                try:
                    answer, place = await predicted(client, session, files[index])
                except (httpx.HTTPError, Refused) as error:
                    tally.faults.append(f"image {index}: {error!r}")
                    continue
                tally.waits_s.append(time.monotonic() - start)
                tally.untold += place is None
                tally.farthest = max(tally.farthest, place or 0)
                if same(answer, expected[index]):
                    tally.right += 1
                else:
                    tally.faults.append(f"image {index} was answered with another one")

        await asyncio.gather(*map(work, range(programs)))
    return tally


def same(answer: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether two answers are of one image; the time that they took aside."""
    said, wanted = answer["probabilities"], expected["probabilities"]
    alike = [abs(said[name] - wanted[name]) < 1e-4 for name in wanted]
    return answer["size"] == expected["size"] and answer["run"] == expected["run"] and all(alike)


async def visitors(address: str, files: Sequence[Sequence[bytes]], folder: Path) -> Tally:
    """All browsers at once, each in a session of its own, uploading its images in turn."""
    from playwright.async_api import Error, async_playwright

    tally = Tally()
    ratios = [size_hw(file)[1] / size_hw(file)[0] for own in files for file in own]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**CHROMIUM, timeout=ANSWER_S * 1e3)

        async def work(number: int) -> None:
            context = await browser.new_context(viewport={"width": 1000, "height": 800})
            context.set_default_timeout(ANSWER_S * 1e3)
            page = await context.new_page()
            await page.add_init_script(NOTE_PLACE)
            await page.goto(address)
            await page.wait_for_selector(".ov[data-ready=yes]")
            for turn, file in enumerate(files[number]):
                path = folder / f"{number}-{turn}.jpg"
                path.write_bytes(file)
                await page.locator("#image button[aria-label='Remove Image']").click()
                await page.wait_for_selector(".ov[data-ready=no]")
                await page.evaluate("window.told = false")
                start = time.monotonic()
                await page.set_input_files("#image input[type=file]", path)
                await page.wait_for_selector(".ov[data-ready=yes]")
                tally.waits_s.append(time.monotonic() - start)
                tally.untold += not await page.evaluate("window.told")
                shown = await page.eval_on_selector(".ov-canvas", "c => c.width / c.height")
                wanted = size_hw(file)[1] / size_hw(file)[0]
                if min(ratios, key=lambda ratio: abs(ratio - shown)) == wanted:
                    tally.right += 1
                else:
                    tally.faults.append(f"browser {number}, image {turn}: another one is shown")
            await context.close()

        ended = await asyncio.gather(*map(work, range(len(files))), return_exceptions=True)
        for number, error in enumerate(ended):
            if isinstance(error, Error):
                tally.faults.append(f"browser {number}: {str(error).splitlines()[0]}")
            elif error is not None:
                raise error
        await browser.close()
    return tally


@dataclass
class Options:
    """Send many requests at once and hold every answer to its image."""

    programs: int = 50
    browsers: int = 20
    requests: int = 3  # of each


async def measured(address: str, options: Options) -> tuple[Tally, Tally]:
    """Programs and browsers at the same time."""
    ours = options.programs * options.requests
    files = images(ours + options.browsers * options.requests)
    expected = await alone(address, files[:ours])
    rest = [files[ours + n :: options.browsers] for n in range(options.browsers)]
    with tempfile.TemporaryDirectory() as folder:
        return await asyncio.gather(
            crowd(address, files[:ours], expected, options.programs),
            visitors(address, rest, Path(folder)),
        )


def main(options: Options) -> int:
    """The number of faults."""
    with served() as page:
        tallies = asyncio.run(measured(page.address, options))
    for name, count, tally in zip(
        ("programs", "browsers"), (options.programs, options.browsers), tallies, strict=True
    ):
        waits = np.percentile(tally.waits_s, (50, 100)) if tally.waits_s else (0, 0)
        print(
            f"{count} {name}: {tally.right} of {count * options.requests} right, "
            f"{tally.untold} not told their place, farthest place {tally.farthest + 1}; "
            f"waited {waits[0]:.1f} s (median), {waits[1]:.1f} s (most)"
        )
        print("\n".join(tally.faults))
    return sum(len(tally.faults) + tally.untold for tally in tallies)


if __name__ == "__main__":
    sys.exit(1 if main(tyro.cli(Options)) else 0)
