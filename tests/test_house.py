"""The rules of the house that no other tool holds."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from mtl_core.tasks import TASKS

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("mtl_core", "training", "app")
# room -> the other rooms that it may import
MAY_IMPORT = {"mtl_core": set(), "training": {"mtl_core"}, "app": {"mtl_core"}}
# Inside mtl_core, each may import those of the lines above it, and within its own line.
LAYERS = (
    {"types", "old_names"},
    {"config", "presets", "overrides"},
    {"data", "model", "metrics", "decoding", "runs", "overlay"},
    {"tasks"},
    {"retention", "engine", "onnx_graphs"},
    {"learning"},
    {"analysis"},
)
# A run is files: what reads them knows no network, and of data only how items are keyed.
RUNS_KNOW = {
    "mtl_core.types",
    "mtl_core.config",
    "mtl_core.old_names",
    "mtl_core.data.splits",
}
# Where a task may be named: the tasks themselves, recipes of them, and names of before.
NAME_TASKS = ("mtl_core/tasks/", "mtl_core/presets.py", "mtl_core/old_names.py", "app/language/")
# Whatever unpickles can execute what a stranger wrote.
UNPICKLING = {"pickle", "joblib", "dill", "cloudpickle", "shelve"}


def sources(room: str) -> list[Path]:
    found = sorted((ROOT / room).rglob("*.py"))
    assert found, f"{room} holds no source"
    return found


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for room in ROOMS for path in sources(room)}


def imports(path: Path) -> set[str]:
    """Every absolute import, wherever it stands in the file: modules of ours, packages of others.

    ``from package import name`` is the module ``package.name`` where there is one.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path} imports relatively"
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in MODULES else node.module for name in whole}
    return names


GRAPH = {module: imports(path) & set(MODULES) for module, path in MODULES.items()}


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a ring, or nothing."""
    done: set[str] = set()

    def visit(module: str, above: list[str]) -> list[str]:
        if module in above:
            return [*above[above.index(module) :], module]
        if module in done:
            return []
        for other in sorted(graph[module]):
            if found := visit(other, [*above, module]):
                return found
        done.add(module)
        return []

    return next((found for module in sorted(graph) if (found := visit(module, []))), [])


def test_no_modules_import_each_other_in_a_circle():
    assert circle(GRAPH) == []
    ring = {"a": {"b"}, "b": {"c"}, "c": {"b"}}
    assert circle(ring) == ["b", "c", "b"]


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_one_way(room: str):
    for module in (name for name in MODULES if name.split(".")[0] == room):
        others = {name.split(".")[0] for name in GRAPH[module]} - {room}
        assert others <= MAY_IMPORT[room], module


def test_inside_the_core_arrows_point_one_way():
    level = {part: number for number, layer in enumerate(LAYERS) for part in layer}
    for module, imported in GRAPH.items():
        room, _, inside = module.partition(".")
        if room != "mtl_core" or not inside:  # its top offers what all parts make together
            continue
        part = inside.split(".")[0]
        assert part in level, f"{module} has no place in the order of the core"
        for other in imported:
            assert level[other.split(".")[1]] <= level[part], f"{module} imports {other}"


def test_what_reads_runs_knows_no_network():
    for module in (name for name in MODULES if name.startswith("mtl_core.runs")):
        ours = {name for name in GRAPH[module] if not name.startswith("mtl_core.runs")}
        assert ours <= RUNS_KNOW, module


def names_of_tasks(path: Path) -> set[str]:
    """Ids of tasks that stand in a file as words of the program: strings and keyword names."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return {task for task in TASKS.infos if re.search(rf"""(["'`.]){task}\b""", text)}
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.keyword):
            found |= {node.arg} & set(TASKS.infos)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value} & set(TASKS.infos)
    return found


def test_only_tasks_recipes_and_languages_name_a_task():
    files = [
        path
        for room in ROOMS
        for suffix in ("py", "js", "css", "html")
        for path in (ROOT / room).rglob(f"*.{suffix}")
    ]
    naming = {path.relative_to(ROOT).as_posix() for path in files if names_of_tasks(path)}
    allowed = {name for name in naming if name.startswith(NAME_TASKS)}
    assert allowed, "nothing is found where tasks are named"
    assert naming == allowed


@pytest.mark.parametrize("room", ROOMS)
def test_a_files_name_tells_its_purpose(room: str):
    vague = {"utils", "util", "misc", "helpers", "helper", "common"}
    assert [str(p) for p in sources(room) if p.stem in vague or p.parent.name in vague] == []


@pytest.mark.parametrize("room", ROOMS)
def test_what_strangers_give_is_never_unpickled(room: str):
    for path in sources(room):
        assert not {name.split(".")[0] for name in imports(path)} & UNPICKLING, path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                named = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert called not in ("torch.load", "torch.save"), path
                assert named.get("allow_pickle", "False") == "False", path


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-test.txt"])
def test_every_requirement_names_a_version(name: str):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line.strip() and not line.startswith(("#", "-r"))]
    assert wanted
    assert [line for line in wanted if not re.search(r"[<>=~]=?\s*\d", line)] == []
