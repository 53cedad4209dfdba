"""The rules of the house that no other tool holds."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("mtl_core", "training", "app")
# room -> rooms that it must not know
FORBIDDEN = [
    ("mtl_core", "training"),  # the core serves both
    ("mtl_core", "app"),
    ("training", "app"),  # what runs from a shell needs no page
]
# Whatever unpickles can execute what a stranger wrote; training's own resume state is no such file.
UNPICKLING = {"pickle", "joblib", "dill", "cloudpickle", "shelve"}


def sources(room: str) -> list[Path]:
    found = sorted((ROOT / room).rglob("*.py"))
    assert found, f"{room} holds no source"
    return found


def imports(path: Path) -> set[str]:
    """First part of every absolute import, wherever it stands in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize(("room", "other"), FORBIDDEN)
def test_imports_point_one_way(room: str, other: str):
    assert [str(p) for p in sources(room) if other in imports(p)] == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_files_name_tells_its_purpose(room: str):
    vague = {"utils", "util", "misc", "helpers", "helper", "common"}
    assert [str(p) for p in sources(room) if p.stem in vague or p.parent.name in vague] == []


@pytest.mark.parametrize("room", ["mtl_core", "app"])
def test_what_strangers_give_is_never_unpickled(room: str):
    for path in sources(room):
        assert not imports(path) & UNPICKLING, path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                allowing = [k for k in node.keywords if k.arg == "allow_pickle"]
                assert called != "torch.load", path
                assert not allowing or ast.unparse(allowing[0].value) == "False", path


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-test.txt"])
def test_every_requirement_names_a_version(name: str):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line.strip() and not line.startswith(("#", "-r"))]
    assert wanted
    assert [line for line in wanted if not re.search(r"[<>=~]=?\s*\d", line)] == []
