"""What an installation gives: one list of versions, every command, every file of the page."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Measurements for those who change the project itself.
NOT_INSTALLED = {"head_variants", "export_graphs"}


def lines(name: str) -> list[str]:
    return (ROOT / name).read_text(encoding="utf-8").splitlines()


def test_what_a_host_installs_is_what_the_package_requires():
    assert sorted(lines("requirements.txt")) == sorted(PROJECT["dependencies"] + EXTRAS["app"])
    assert lines("requirements-test.txt") == ["-r requirements.txt", *EXTRAS["test"]]


def test_every_command_is_installed():
    commands = {
        path.stem
        for path in (ROOT / "training").glob("*.py")
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
    }
    scripts = {name: place for name, place in PROJECT["scripts"].items() if name != "onehead"}
    installed = {place.removeprefix("training.console:") for place in scripts.values()}
    assert commands - NOT_INSTALLED <= installed
    for name, place in scripts.items():
        assert place == "training.console:" + name.removeprefix("onehead-").replace("-", "_")


def test_every_file_of_the_packages_is_installed():
    patterns = [*PYPROJECT["tool"]["setuptools"]["package-data"]["*"], "*.py"]
    for room in ("mtl_core", "training", "app"):
        for path in (ROOT / room).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert any(fnmatch(path.name, pattern) for pattern in patterns), path


def test_one_version_stands_everywhere():
    newest = re.search(r"^## ([\d.]+)", "\n".join(lines("CHANGELOG.md")), flags=re.MULTILINE)
    cited = re.search(r"^version: (\S+)$", "\n".join(lines("CITATION.cff")), flags=re.MULTILINE)
    assert newest and cited and newest[1] == cited[1] == PROJECT["version"]
