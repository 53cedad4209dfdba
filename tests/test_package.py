"""What an installation gives: one list of versions, every command, every file of the page."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Measurements for those who change the project itself.
NOT_INSTALLED = {"head_variants", "export_graphs"}

# Modules that are named otherwise than the package that brings them.
PACKAGES = {"PIL": "pillow", "gradio_client": "gradio", "markdown_it": "markdown-it-py"}
OPTIONAL = {"spaces"}  # there on some hosts only


def lines(name: str) -> list[str]:
    return (ROOT / name).read_text(encoding="utf-8").splitlines()


def test_what_a_host_installs_is_what_the_package_requires():
    assert sorted(lines("requirements.txt")) == sorted(PROJECT["dependencies"] + EXTRAS["app"])
    assert lines("requirements-test.txt") == ["-r requirements.txt", *EXTRAS["test"]]


def test_what_is_imported_is_required():
    required = {re.split(r"[\[<>=!~]", line)[0] for line in PROJECT["dependencies"] + EXTRAS["app"]}
    for room in ("mtl_core", "training", "app"):
        for path in (ROOT / room).rglob("*.py"):
            found = set()
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found.add(node.module.split(".")[0])
            found -= {*sys.stdlib_module_names, *OPTIONAL, "mtl_core", "training", "app"}
            assert {PACKAGES.get(name, name) for name in found} <= required, path


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
