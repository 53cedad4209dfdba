"""Many at once: programs and browsers, each with images of its own, each answer held to its image.

python -m tests.load --programs 50 --browsers 20 --requests 3
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import tyro
from PIL import Image

from app.services.viewed_image import example_images
from tests.host_start import ROOT, free_port, wait_for

PATIENCE_S = 900.0
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


class Program:
    """A program that speaks the page's protocol, and remembers what it is told.

    Args:
        client: HTTP, below the page's address.
        endpoint: number of ``/predict``.
    """

    def __init__(self, client: httpx.AsyncClient, endpoint: int) -> None:
        self.client, self.endpoint = client, endpoint
        self.session = secrets.token_hex(8)

    async def ask(self, image: bytes, run: str = "") -> tuple[dict[str, Any], int | None]:
        """The answer to an image, and the place in the queue that was told first."""
        sent = {"files": (f"{self.session}.jpg", image, "image/jpeg")}
        path = (await self.client.post("upload", files=sent)).raise_for_status().json()[0]
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        body = {"data": [file, run, 0], "fn_index": self.endpoint, "session_hash": self.session}
        (await self.client.post("queue/join", json=body)).raise_for_status()
        place = None
        asked = {"session_hash": self.session}
        async with self.client.stream("GET", "queue/data", params=asked) as lines:
            async for line in lines.aiter_lines():
                said = json.loads(line.removeprefix("data: ")) if line else {}
                if said.get("msg") == "estimation" and place is None:
                    place = said["rank"]
                if said.get("msg") == "process_completed":
                    if not said["success"]:
                        raise RuntimeError(str(said["output"]))
                    return said["output"]["data"][0], place
        raise RuntimeError("The page ended the stream without an answer.")


async def predict_endpoint(client: httpx.AsyncClient) -> int:
    """The number by which ``/predict`` is called."""
    config = (await client.get("../config")).raise_for_status().json()
    return next(d["id"] for d in config["dependencies"] if d["api_name"] == "predict")


def opened(address: str) -> httpx.AsyncClient:
    """A client of the page's API with as many connections as anybody asks for."""
    # A connection that is kept may be closed by the page just when it is used again.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    base = f"{address.rstrip('/')}/gradio_api/"
    return httpx.AsyncClient(base_url=base, timeout=PATIENCE_S, limits=limits)


async def alone(address: str, files: Sequence[bytes]) -> list[dict[str, Any]]:
    """The answer to every image when nobody else asks."""
    async with opened(address) as client:
        program = Program(client, await predict_endpoint(client))
        return [(await program.ask(image))[0] for image in files]


async def crowd(
    address: str, files: Sequence[bytes], expected: Sequence[dict[str, Any]], programs: int
) -> Tally:
    """All programs at once, each with its share of the images, one after the other."""
    tally = Tally()
    async with opened(address) as client:
        endpoint = await predict_endpoint(client)

        async def work(number: int) -> None:
            program = Program(client, endpoint)
            for index in range(number, len(files), programs):
                start = time.monotonic()
                try:
                    answer, place = await program.ask(files[index])
                except (httpx.HTTPError, RuntimeError) as error:
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
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"], timeout=PATIENCE_S * 1e3
        )

        async def work(number: int) -> None:
            context = await browser.new_context(viewport={"width": 1000, "height": 800})
            context.set_default_timeout(PATIENCE_S * 1e3)
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


@contextmanager
def served(**environment: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """The page with the shipped runs in a process of its own: its address and the process."""
    port = free_port()
    address = f"http://127.0.0.1:{port}/"
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port)],
        cwd=ROOT,
        env=os.environ | {"GRADIO_ANALYTICS_ENABLED": "False"} | environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(address, process)
        yield address, process
    finally:
        process.kill()
        process.wait()


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
    with served() as (address, _):
        tallies = asyncio.run(measured(address, options))
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
