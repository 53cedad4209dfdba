"""The page's endpoints as a program in JavaScript calls them, with Gradio's client from npm."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from app.services.viewed_image import example_images

CLIENT = "@gradio/client@2.7.0"
PATIENCE_S = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the client is installed."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("Node.js is not installed.")
    folder = tmp_path_factory.mktemp("npm")
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), CLIENT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    if done.returncode and ("network" in done.stderr or "ENOTFOUND" in done.stderr):
        pytest.skip("The npm registry cannot be reached.")
    assert done.returncode == 0, done.stderr
    return folder


def test_a_program_in_javascript_is_answered(address, folder):
    script = Path(__file__).with_name("ask.mjs")
    command = ["node", str(script), address, str(example_images()["astronaut"])]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["answer"]["run"], said["answer"]["stage"]) == ("forgets", 3)
    assert said["answer"]["size"] == [512, 512]
    assert said["answer"]["boxes"][0]["score"] == pytest.approx(0.91, abs=1e-4)
    assert said["drawn"] == "image/png"
    assert said["refused"] == "stage is 'last': expected a whole number."
    assert {"low", "high"} <= set(said["matrix"]["drops"][0])
