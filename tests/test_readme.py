"""The commands and the example that README and documents print work, with the options they name."""

from __future__ import annotations

import importlib
import re
from dataclasses import fields
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = [path.read_text(encoding="utf-8") for path in DOCUMENTS]
COMMANDS = sorted(
    {found for text in TEXTS for found in re.findall(r"python -m (training\.\w+)([^`\n]*)", text)}
)
MOST_WORDS = 1200


def test_there_are_commands():
    assert {"training.train", "training.evaluate"} <= {module for module, _ in COMMANDS}


@pytest.mark.parametrize(("module", "rest"), COMMANDS)
def test_options_exist(module: str, rest: str):
    names = [field.name for field in fields(importlib.import_module(module).Options)]
    options = {"--" + name.replace("_", "-") for name in names}
    named = set(re.findall(r"--[a-z][a-z-]*", rest)) - {"--help"}
    assert named <= options, f"{module} has no {sorted(named - options)}"


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_a_host_gets_a_version_that_the_requirements_allow():
    front = README.split("---")[1]
    version = re.search(r"^sdk_version: ([\d.]+)$", front, flags=re.MULTILINE)
    pin = re.search(
        r"^gradio(?:\[\w+\])?(.*)$", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE
    )
    assert version and pin and Version(version[1]) in SpecifierSet(pin[1])
    assert (
        re.search(r"^app_file: app.py$", front, flags=re.MULTILINE) and (ROOT / "app.py").is_file()
    )


def test_it_is_read_in_minutes():
    assert len(README.split("---", 2)[2].split()) < MOST_WORDS


def test_the_example_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    [example] = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert "person" in capsys.readouterr().out


def test_every_shipped_file_fits_a_host():
    for path in (ROOT / "assets").rglob("*"):
        assert not path.is_file() or path.stat().st_size < 10_000_000, path
