"""The page in a process of its own, and how programs and browsers come to it.

Needs nothing but requirements.txt: whoever starts a browser brings Playwright.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
START_S, ANSWER_S = 300, 900.0  # how long is waited for the page, and for an answer
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Of Playwright's launch; without any of these it takes its own, or says how to install it.
CHROMIUM: dict[str, Any] = {
    "executable_path": os.environ.get("CHROMIUM")
    or next(filter(None, map(shutil.which, _BROWSERS)), None),
    "args": ["--no-sandbox"],
}


@dataclass(frozen=True)
class ServedPage:
    """A page that answers.

    Attributes:
        address: with a slash at its end.
        pid: its process.
        start_s: seconds from the start of the process to the first answer.
    """

    address: str
    pid: int
    start_s: float


@contextmanager
def served(**environment: str) -> Iterator[ServedPage]:
    """app.py with the shipped runs in a process of its own; ends the program where it never stands.

    Args:
        environment: variables for that process beside those of this one.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    address = f"http://127.0.0.1:{port}/"
    own = {"GRADIO_SERVER_PORT": port, "GRADIO_ANALYTICS_ENABLED": "False"}
    process = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=os.environ | own | environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield ServedPage(address, process.pid, _wait_for(address, process))
    finally:
        process.kill()
        process.wait()


def _wait_for(address: str, process: subprocess.Popen) -> float:
    start = time.monotonic()
    while time.monotonic() - start < START_S:
        if process.poll() is not None:
            sys.exit(f"app.py ended with {process.returncode} before the page stood.")
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                if "OneHead" in answer.read().decode():
                    return time.monotonic() - start
        except OSError:
            time.sleep(0.2)
    sys.exit(f"The page did not stand within {START_S} s.")


def memory_mb(field: str, process: int | str = "self") -> float:
    """A process's memory in MB: VmRSS, resident now, or VmHWM, at its highest; Linux alone."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 2**10


class Refused(RuntimeError):
    """The page answered that it cannot."""


class PageClient:
    """A program that speaks the page's protocol: many sessions at once.

    Args:
        address: of the page.
    """

    def __init__(self, address: str) -> None:
        # A connection that is kept may be closed by the page just when it is used again.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        base = f"{address.rstrip('/')}/gradio_api/"
        self.http = httpx.AsyncClient(base_url=base, timeout=ANSWER_S, limits=limits)

    async def __aenter__(self) -> PageClient:
        config = (await self.http.get("../config")).raise_for_status().json()
        self.endpoints = {d["api_name"]: d["id"] for d in config["dependencies"]}
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.http.aclose()

    async def uploaded(self, image: bytes) -> dict[str, Any]:
        """A JPEG file as the page's functions take it."""
        sent = {"files": ("photo.jpg", image, "image/jpeg")}
        path = (await self.http.post("upload", files=sent)).raise_for_status().json()[0]
        return {"path": path, "meta": {"_type": "gradio.FileData"}}

    async def ask(self, session: str, function: str, *values: Any) -> tuple[Any, int | None]:
        """The first value that a function returns, and the place in the queue that was told first.

        Raises:
            Refused: the function said that it cannot.
            httpx.HTTPError: the page could not be reached, or ended without an answer.
        """
        body = {"fn_index": self.endpoints[function], "session_hash": session, "data": values}
        (await self.http.post("queue/join", json=body)).raise_for_status()
        place, asked = None, {"session_hash": session}
        async with self.http.stream("GET", "queue/data", params=asked) as lines:
            async for line in lines.aiter_lines():
                said = json.loads(line.removeprefix("data: ")) if line else {}
                if said.get("msg") == "estimation" and place is None:
                    place = said["rank"]
                if said.get("msg") == "process_completed":
                    if not said["success"]:
                        raise Refused(str(said["output"]))
                    return said["output"]["data"][0], place
        raise httpx.RemoteProtocolError("The page ended the stream without an answer.")
