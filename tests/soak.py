"""Hours of mixed traffic in minutes: what memory the page holds after some and after many requests.

python -m tests.soak --requests 2000 --settled 200

The traffic rests before every measurement, until the page has given back what it freed; the most
that it held while it answered is told beside.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import tyro
from tqdm import tqdm

from app.services.memory import GIVEN_BACK_EVERY_S
from mtl_core.types import InputError
from tests.load import images
from tests.served_page import ROOT, PageClient, Refused, ServedPage, memory_mb, served

MOST_GROWTH = 0.05
# Of a hundred requests; every one comes from a session of its own.
SHARES = {
    "predict": 50,
    "compare_stages": 12,
    "overlay": 8,
    "mask": 4,
    "matrix": 6,
    "take_image": 14,  # the page's own: an image is dropped in, every stage of a run answers
    "every_stage": 2,  # the grid: every stage of every run
    "refused": 4,
}


class Mixed:
    """Sends requests of all kinds.

    The first ones open every run, so that what memory grows by later is no opening of a run.

    Args:
        client: of the page.
        seed: of the order.
    """

    def __init__(self, client: PageClient, seed: int) -> None:
        self.client = client
        self.draw = random.Random(seed)
        self.files = images(40)
        self.runs = sorted(path.parent.name for path in ROOT.glob("assets/runs/*/run.json"))
        self.unopened = list(self.runs)

    def kind(self) -> str:
        """The next request's."""
        return self.draw.choices(list(SHARES), list(SHARES.values()))[0]

    async def send(self, kind: str) -> bool:
        """One request of a new session; whether it was answered, or refused where it had to be."""
        session = secrets.token_hex(8)
        run = self.draw.choice(self.runs) if self.draw.random() < 0.2 else "onehead"
        if self.unopened:
            kind, run = "take_image", self.unopened.pop()
        if run.endswith("joint") and kind in ("compare_stages", "mask"):
            run = "onehead"  # the other has one stage alone
        file = await self.client.uploaded(self.draw.choice(self.files))
        data: dict[str, list[Any]] = {
            "predict": [file, run, 0],
            "compare_stages": [file, run, 1, 0, 0.3, ""],
            "overlay": [file, run, 0, 0.3],
            "mask": [file, run, 1],
            "matrix": [run],
            "take_image": [file, None, run, self.draw.choice(["", *self.runs])],
            "every_stage": [None, file, self.runs],
            "refused": [file, "no such run", "last"],
        }
        name = "predict" if kind == "refused" else kind
        # A browser holds this stream for as long as it is open.
        async with self.client.http.stream("GET", f"heartbeat/{session}"):
            try:
                await self.client.ask(session, name, *data[kind])
            except Refused:
                return kind == "refused"
            except httpx.RemoteProtocolError:
                return False
        return kind != "refused"


async def traffic(page: ServedPage, options: Options) -> tuple[list[tuple[int, float]], Counter]:
    """The memory after every so many requests, and how many of each kind failed."""
    held: list[tuple[int, float]] = []
    failed: Counter = Counter()
    async with PageClient(page.address) as client:
        mixed = Mixed(client, options.seed)
        progress = tqdm(total=options.requests, disable=not sys.stderr.isatty())

        async def work(waiting: Iterator[int]) -> None:
            for _ in waiting:
                kind = mixed.kind()
                if not await mixed.send(kind):
                    failed[kind] += 1
                progress.update()

        for number in range(options.settled, options.requests + 1, options.settled):
            waiting = iter(range(options.settled))
            await asyncio.gather(*(work(waiting) for _ in range(options.at_once)))
            await asyncio.sleep(1.5 * GIVEN_BACK_EVERY_S)
            held.append((number, memory_mb("VmRSS", page.pid)))
            most = memory_mb("VmHWM", page.pid)
            print(f"{number}: {held[-1][1]:.0f} MB, {most:.0f} at most so far", flush=True)
    return held, failed


@dataclass
class Options:
    """Send mixed requests and see what the page's process holds."""

    requests: int = 2000
    settled: int = 200  # requests after which memory is taken as settled
    at_once: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.requests < 2 * self.settled or self.settled < 1:
            raise InputError(
                f"--requests {self.requests} --settled {self.settled}: expected at least twice as "
                "many requests as settle the memory, so that there are two measurements to compare."
            )


def main(options: Options) -> bool:
    """Whether all were answered and memory stayed as it was."""
    start = time.monotonic()
    with served() as page:
        held, failed = asyncio.run(traffic(page, options))
    growth = held[-1][1] / held[0][1] - 1
    print(
        f"{options.requests} requests in {time.monotonic() - start:.0f} s, "
        f"failed: {dict(failed) or 'none'}; memory after {held[-1][0]} is "
        f"{growth:+.1%} of that after {held[0][0]}"
    )
    return not failed and growth <= MOST_GROWTH


if __name__ == "__main__":
    sys.exit(0 if main(tyro.cli(Options)) else 1)
