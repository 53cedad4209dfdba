"""Graphs made once per checkpoint and kept on disk.

A file is named ``<part>-<key>-<digest>.onnx``. The key is a hash of what the graph was made from
and for: the weights (for the backbone half only the frozen ones, so all stages of a run share one
file), the versions of what made it, and the processor. The digest is the file's own, so a damaged
file is known by its name, and one is never half written: it is moved into place when it is whole.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import threading
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from safetensors import safe_open

from mtl_core.onnx_graphs.processor import instruction_set
from mtl_core.runs.checkpoint import CheckpointInfo, read_header

LOG = logging.getLogger(__name__)
GRAPH_FORMAT = 1  # raise it when graph_export or graph_surgery changes what they make
MAKERS = ("torch", "timm", "onnx", "onnxruntime")
KEPT_BYTES = 2 * 2**30  # the files used longest ago go beyond it
EXPORTING = threading.Lock()  # the exporter is not made for two threads


@dataclass(frozen=True)
class GraphKeys:
    """What a checkpoint's two graphs are stored under; equal keys mean equal graphs."""

    backbone: str
    rest: str


@dataclass(frozen=True)
class Graphs:
    """Both graphs of a checkpoint, serialised, with their keys."""

    keys: GraphKeys
    backbone: bytes
    rest: bytes


def cache_folder() -> Path:
    """``$ONEHEAD_CACHE``, or ``~/.cache/onehead``."""
    chosen = os.environ.get("ONEHEAD_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "onehead"


def file_sha256(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def frozen_sha256(path: Path, info: CheckpointInfo) -> str:
    """Of the frozen half of the backbone: every stored tensor's name, type, shape and bytes."""
    blocks = range(info.model.frozen_blocks)
    prefixes = ("backbone.stem.", *(f"backbone.blocks.{i}." for i in blocks))
    digest = hashlib.sha256()
    with safe_open(path, "np") as file:
        for name in sorted(file.keys()):
            counts_batches = name.endswith("num_batches_tracked")  # never read in eval mode
            if len(blocks) and name.startswith(prefixes) and not counts_batches:
                value = file.get_tensor(name)
                digest.update(f"{name} {value.dtype} {value.shape}".encode())
                digest.update(value.tobytes())
    return digest.hexdigest()


def graph_keys(checkpoint: Path, info: CheckpointInfo) -> GraphKeys:
    """The keys of a checkpoint's graphs: its bytes, the makers' versions, the processor."""
    makers = {"format": GRAPH_FORMAT, "processor": instruction_set()}
    makers |= {name: version(name) for name in MAKERS}
    model = asdict(info.model)
    backbone = {k: model[k] for k in ("backbone", "frozen_blocks", "mean", "std")}
    return GraphKeys(
        _key({**makers, **backbone, "frozen": frozen_sha256(checkpoint, info)}),
        _key({**makers, "checkpoint": file_sha256(checkpoint)}),
    )


def graphs_of(checkpoint: Path, folder: Path | None = None) -> Graphs:
    """Both graphs of a checkpoint, from the cache, or made now and put there.

    Args:
        checkpoint: a stage checkpoint (.safetensors).
        folder: the cache, ``cache_folder()`` by default; without the right to write there the
            graphs are made every time.

    Raises:
        InputError: the checkpoint is not usable.
        RuntimeError: the graphs do not compute what PyTorch computes.
    """
    keys = graph_keys(checkpoint, read_header(checkpoint))
    folder = folder or cache_folder()
    with EXPORTING:
        backbone, rest = _read(folder, "backbone", keys.backbone), _read(folder, "rest", keys.rest)
        if backbone is None or rest is None:
            from mtl_core.onnx_graphs.export import export_halves  # torch takes seconds to import

            made = export_halves(checkpoint)
            # A backbone that is there stays: other stages of the run already use it.
            backbone = backbone or _write(folder, "backbone", keys.backbone, made.backbone)
            rest = rest or _write(folder, "rest", keys.rest, made.rest)
            _drop_oldest(folder)
    return Graphs(keys, backbone, rest)


def _key(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _read(folder: Path, part: str, key: str) -> bytes | None:
    """A whole graph of this key, or None; damaged files are removed."""
    for path in sorted(folder.glob(f"{part}-{key}-*.onnx")):
        try:
            content = path.read_bytes()
            if path.name == _name(part, key, content):
                os.utime(path)  # used now
                return content
            LOG.warning("%s is damaged and is made anew.", path)
            path.unlink()
        except OSError:  # gone meanwhile, or not ours to touch
            continue
    return None


def _write(folder: Path, part: str, key: str, content: bytes) -> bytes:
    """Store a graph and return it; a folder that cannot be written costs only time."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
            file.write(content)
        os.replace(file.name, folder / _name(part, key, content))
    except OSError as error:
        LOG.warning("Graphs cannot be kept in %s (%s): set ONEHEAD_CACHE.", folder, error)
    return content


def _name(part: str, key: str, content: bytes) -> str:
    return f"{part}-{key}-{hashlib.sha256(content).hexdigest()[:32]}.onnx"


def _drop_oldest(folder: Path) -> None:
    """Remove the files used longest ago until the rest fits."""
    try:
        files = sorted(folder.glob("*-*-*.onnx"), key=lambda p: p.stat().st_mtime, reverse=True)
        total = 0
        for path in files:
            total += path.stat().st_size
            if total > KEPT_BYTES:
                path.unlink()
    except OSError:  # another process tidies up, too
        return
