"""Start app.py as a host does, with nothing installed but requirements.txt, and ask it something.

A program of its own, because pytest is not among those requirements:
``python tests/host_start.py`` ends with 0 when the page stood and every shipped run answered.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 300


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as subset:
        subset.bind(("127.0.0.1", 0))
        return int(subset.getsockname()[1])


def wait_for(address: str, process: subprocess.Popen) -> float:
    """Seconds until the page answers; ends the program where it never does."""
    start = time.monotonic()
    while time.monotonic() - start < PATIENCE_S:
        if process.poll() is not None:
            sys.exit(f"app.py ended with {process.returncode} before the page stood.")
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                if "OneHead" in answer.read().decode():
                    return time.monotonic() - start
        except OSError:
            time.sleep(0.2)
    sys.exit(f"The page did not stand within {PATIENCE_S} s.")


def main() -> None:
    """Start, ask every shipped run's last stage about an example image, stop."""
    if importlib.util.find_spec("pytest"):
        print("pytest is installed here: more than requirements.txt may be in use.")
    from gradio_client import Client, handle_file

    port = free_port()
    with tempfile.TemporaryDirectory() as cache:
        environment = {
            **os.environ,
            "GRADIO_SERVER_NAME": "0.0.0.0",
            "GRADIO_SERVER_PORT": str(port),
            "GRADIO_ANALYTICS_ENABLED": "False",
            "SPACE_ID": "someone/onehead",
            "ONEHEAD_CACHE": cache,
        }
        process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment)
        try:
            address = f"http://127.0.0.1:{port}/"
            print(f"The page stood after {wait_for(address, process):.1f} s.")
            client = Client(address, verbose=False)
            image = handle_file(str(ROOT / "assets" / "examples" / "cat.jpg"))
            runs = sorted(path.parent.name for path in ROOT.glob("assets/runs/*/run.json"))
            for run in runs:
                answer = client.predict(image=image, run=run, api_name="/predict")
                if answer["run"] != run or not answer["trained"]:
                    sys.exit(f"Run {run} answered {answer}.")
                print(f"{run} answers, trained {', '.join(answer['trained'])}.")
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
