"""The entry as a host and a shell start it."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from stand_in import make_run

from app.cli import site_of
from app.site import from_this_machine

ROOT = Path(__file__).parents[2]
# Long enough for a machine that trains at the same time.
PATIENCE_S = 300


def free_port() -> int:
    with socket.socket() as subset:
        subset.bind(("127.0.0.1", 0))
        return subset.getsockname()[1]


@pytest.fixture
def start():
    running = []

    def starting(*arguments, **environment):
        environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", **environment}
        process = subprocess.Popen(
            [sys.executable, "app.py", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        return process

    yield starting
    for process in running:
        process.kill()
        process.wait()


def page_at(port: int) -> str:
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                return answer.read().decode()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


def test_a_host_sets_the_address_in_the_environment(start):
    port = free_port()
    start(GRADIO_SERVER_NAME="0.0.0.0", GRADIO_SERVER_PORT=str(port))
    assert "OneHead" in page_at(port)


def test_a_run_is_named_on_the_command_line(start, tmp_path):
    port = free_port()
    start("--run", str(make_run(tmp_path, "mine").path), "--port", str(port))
    assert re.search(r'"mine"', page_at(port))


def test_a_place_that_is_no_run_ends_in_one_sentence(start, tmp_path):
    process = start("--run", str(tmp_path))
    told, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "is not a run directory" in told
    assert "Traceback" not in told


def test_a_taken_port_ends_in_one_sentence(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start("--port", str(taken.getsockname()[1]))
        told, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "choose another with --port" in told
    assert "Traceback" not in told


def test_only_a_local_host_may_open_directories(monkeypatch):
    for name in ("SPACE_ID", "GRADIO_SERVER_NAME"):
        monkeypatch.delenv(name, raising=False)
    assert site_of().local
    assert not site_of(host="0.0.0.0").local
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    assert not site_of().local
    monkeypatch.delenv("GRADIO_SERVER_NAME")
    monkeypatch.setenv("SPACE_ID", "someone/onehead")
    assert not site_of().local


def test_the_environment_names_the_source_code(monkeypatch):
    monkeypatch.delenv("ONEHEAD_REPOSITORY", raising=False)
    assert site_of().repository == ""
    monkeypatch.setenv("ONEHEAD_REPOSITORY", "https://example.org/onehead")
    assert site_of().repository == "https://example.org/onehead"
    monkeypatch.setenv("ONEHEAD_REPOSITORY", "javascript:alert(1)")
    with pytest.raises(SystemExit, match="expected https://"):
        site_of()


class _Request:
    def __init__(self, address: str, **headers: str) -> None:
        self.client = type("Client", (), {"host": address})()
        self.headers = {"host": "localhost:7860"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }


def test_only_this_machine_s_own_browser_may_open_runs():
    assert from_this_machine(_Request("127.0.0.1"))
    assert from_this_machine(_Request("::1", host="[::1]:7860"))
    assert not from_this_machine(_Request("192.168.1.7"))
    assert not from_this_machine(_Request("127.0.0.1", x_forwarded_for="203.0.113.9"))
    assert not from_this_machine(_Request("127.0.0.1", host="demo.example.org"))
    assert not from_this_machine(None)


def test_nobody_may_open_runs_on_a_shared_page(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    monkeypatch.setenv("GRADIO_SHARE", "true")
    assert not site_of().local
    monkeypatch.delenv("GRADIO_SHARE")
    assert site_of().local
