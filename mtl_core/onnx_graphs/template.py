"""Graphs without weights: one pair per architecture, into which every checkpoint's weights are put.

The pairs of the shipped runs lie in ``shipped/`` and are written by ``training.export_graphs``.
Another architecture is exported once, in a process of its own so that PyTorch never stays in this
one, and kept in a cache. A pair answers only for the source files that it was made from.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mtl_core.runs.checkpoint import CheckpointInfo, read_header
from mtl_core.tasks import TASKS
from mtl_core.types import InputError

LOG = logging.getLogger(__name__)
SHIPPED = Path(__file__).parent / "shipped"
MAKERS = ("torch", "timm", "onnx", "onnxruntime")
BESIDE_THE_GRAPH = ("input_px", "max_enlarge")  # fields of ModelConfig that no graph knows
EXPORTING = threading.Lock()  # PyTorch in one further process is enough
REFUSED = 2  # exit status of an export that was given bad input


@dataclass(frozen=True)
class Half:
    """A graph that lacks its weights.

    Attributes:
        graph: the serialised ONNX model; its weights are named as in the checkpoint.
        shapes: of the weights, by name; all are float32.
    """

    graph: bytes
    shapes: dict[str, list[int]]


@dataclass(frozen=True)
class Template:
    """Both halves of an architecture.

    Attributes:
        backbone: the frozen half. Input ``pixels``, N x H x W x 3 uint8 RGB, H and W multiples of
            32; outputs ``map0`` and so on.
        rest: inputs ``map0`` and so on, outputs named by task id.
        sources: hash of the source files that it was made from.
        makers: versions of the packages that made it.
    """

    backbone: Half
    rest: Half
    sources: str
    makers: dict[str, str]

    def to_bytes(self) -> bytes:
        """A zip file; it checks itself when it is read, and is small."""
        halves = {"backbone": self.backbone, "rest": self.rest}
        about = {
            "sources": self.sources,
            "makers": self.makers,
            "shapes": {name: half.shapes for name, half in halves.items()},
        }
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            contents = {"about.json": json.dumps(about).encode()}
            contents |= {f"{name}.onnx": half.graph for name, half in halves.items()}
            for name, content in contents.items():
                # ZipInfo has a fixed date, so equal templates are equal files.
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return file.getvalue()

    @staticmethod
    def from_bytes(content: bytes) -> Template:
        """The inverse of to_bytes; zipfile, zlib or json raise an error of theirs for damage."""
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            about = json.loads(archive.read("about.json"))
            backbone, rest = (
                Half(archive.read(f"{name}.onnx"), about["shapes"][name])
                for name in ("backbone", "rest")
            )
        return Template(backbone, rest, about["sources"], about["makers"])


def cache_folder() -> Path:
    """``$ONEHEAD_CACHE``, or ``~/.cache/onehead``."""
    chosen = os.environ.get("ONEHEAD_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "onehead"


def architecture_of(info: CheckpointInfo) -> dict[str, Any]:
    """All that shapes a checkpoint's graphs, as plain JSON types."""
    model = {k: v for k, v in asdict(info.model).items() if k not in BESIDE_THE_GRAPH}
    tasks = [[t, info.kinds[t], len(names)] for t, names in info.class_names.items()]
    return {"model": model, "tasks": tasks}


def sources_sha256(tasks: Iterable[str]) -> str:
    """Of the files that say what networks of these tasks compute, and how they are exported.

    A task that is not known here, or whose file cannot be found, adds nothing.
    """
    room = Path(__file__).parent
    files = [*sorted((room.parent / "model").glob("*.py"))]
    files += [room / "export.py", room / "rewrites.py"]
    for task in sorted(tasks):
        place = TASKS.places.get(task, "").partition(":")[0]
        found = find_spec(place) if place else None
        files += [Path(found.origin)] if found and found.origin else []
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def maker_versions() -> dict[str, str]:
    """Of the packages that make graphs."""
    return {name: version(name) for name in MAKERS}


def shipped_path(info: CheckpointInfo) -> Path:
    """Where the template of a checkpoint's architecture is shipped, if it is."""
    return SHIPPED / f"{_key(architecture_of(info))}.zip"


def template_of(checkpoint: Path, folder: Path | None = None) -> Template:
    """The graphs of a checkpoint's architecture: shipped, from the cache, or made now.

    Args:
        checkpoint: a stage checkpoint (.safetensors).
        folder: the cache, ``cache_folder()`` by default; without the right to write there graphs
            that are not shipped are made every time.

    Raises:
        InputError: the checkpoint is not usable.
        RuntimeError: the graphs do not compute what PyTorch computes.
    """
    info = read_header(checkpoint)
    sources = sources_sha256(info.class_names)
    shipped = _read(shipped_path(info))
    if shipped is not None and shipped.sources == sources:
        return shipped
    made_of = {**architecture_of(info), "sources": sources, "makers": maker_versions()}
    path = (folder or cache_folder()) / f"{_key(made_of)}.zip"
    kept = _read(path)
    if kept is None:
        with EXPORTING:  # who waited finds what another one made
            kept = _read(path) or _kept(_made(checkpoint, info), path)
    return kept


def _kept(content: bytes, path: Path) -> Template:
    """A template's file put into the cache, where that can be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            file.write(content)
        os.replace(file.name, path)
    except OSError as error:
        LOG.warning("Graphs cannot be kept in %s (%s): set ONEHEAD_CACHE.", path.parent, error)
    return Template.from_bytes(content)


def _key(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _read(path: Path) -> Template | None:
    """A whole template, or None."""
    try:
        return Template.from_bytes(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as error:  # zipfile, zlib and json raise all kinds where a file is damaged
        LOG.warning("%s cannot be used and is made anew (%r).", path, error)
        return None


def _made(checkpoint: Path, info: CheckpointInfo) -> bytes:
    """A template's file, exported in a process of its own."""
    places = [TASKS.places[task] for task in info.class_names if task in TASKS.places]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "template.zip"
        done = subprocess.run(
            [sys.executable, "-m", "mtl_core.onnx_graphs.export", checkpoint, out, *places],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(p or os.curdir for p in sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return out.read_bytes()
    said = done.stderr.strip() or f"it ended with {done.returncode}"
    if done.returncode == REFUSED:
        raise InputError(said)
    raise RuntimeError(f"The graphs of {checkpoint} cannot be used: {said.splitlines()[-1]}")
