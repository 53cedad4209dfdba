"""Graphs are made once, shared where they are equal, and made anew when they are damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch

from mtl_core.engine.network_file import load_network, read_info
from mtl_core.onnx_graphs import export as graph_export
from mtl_core.onnx_graphs import graph_cache as cache
from mtl_core.onnx_graphs.graph_cache import cache_folder, frozen_sha256, graph_keys, graphs_of


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The checkpoints that were exported since."""
    seen: list[Path] = []
    plain = graph_export.export_halves

    def counted(path: Path) -> graph_export.Halves:
        seen.append(path)
        return plain(path)

    monkeypatch.setattr(graph_export, "export_halves", counted)
    return seen


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_graph_is_made_once(stages: list[Path], tmp_path: Path, exports: list[Path]):
    first = graphs_of(stages[0], tmp_path)
    again = graphs_of(stages[0], tmp_path)
    assert exports == [stages[0]] and first == again
    assert len(names(tmp_path)) == 2 and not [n for n in names(tmp_path) if n.endswith(".part")]
    copy = tmp_path / "moved.safetensors"
    copy.write_bytes(stages[0].read_bytes())
    assert graphs_of(copy, tmp_path) == first and len(exports) == 1  # content counts, not the name


def test_stages_of_a_run_share_their_backbones_graph(stages: list[Path], tmp_path: Path):
    first, second = graphs_of(stages[0], tmp_path), graphs_of(stages[1], tmp_path)
    assert first.backbone == second.backbone and first.keys.backbone == second.keys.backbone
    assert first.rest != second.rest
    assert [n.split("-")[0] for n in names(tmp_path)] == ["rest", "rest", "backbone"]


@pytest.mark.parametrize("damage", [b"", b"cut", None])
def test_a_damaged_graph_is_made_anew(
    stages: list[Path], tmp_path: Path, exports: list[Path], damage: bytes | None
):
    whole = graphs_of(stages[0], tmp_path)
    for path in tmp_path.iterdir():
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content if damage is None else damage)
    repaired = graphs_of(stages[0], tmp_path)
    assert len(exports) == 2 and repaired.keys == whole.keys and len(repaired.rest) > 1000
    assert len(names(tmp_path)) == 2
    graphs_of(stages[0], tmp_path)
    assert len(exports) == 2


def test_other_versions_make_other_graphs(stages: list[Path], monkeypatch: pytest.MonkeyPatch):
    before = graph_keys(stages[0], read_info(stages[0]))
    monkeypatch.setattr(cache, "version", lambda name: "0.0")
    after = graph_keys(stages[0], read_info(stages[0]))
    assert before.backbone != after.backbone and before.rest != after.rest
    monkeypatch.setattr(cache, "instruction_set", lambda: "another processor")
    elsewhere = graph_keys(stages[0], read_info(stages[0]))
    assert after.backbone != elsewhere.backbone and after.rest != elsewhere.rest


def test_the_frozen_hash_is_of_the_frozen_weights(
    write_stage: Callable[..., Path], stages: list[Path]
):
    def of(path: Path) -> str:
        return frozen_sha256(path, read_info(path))

    assert of(stages[0]) == of(stages[1]) == of(stages[2])
    assert of(write_stage(2, seed=1, backbone_seed=9)) != of(stages[0])


def test_it_covers_every_frozen_tensor(stages: list[Path], monkeypatch: pytest.MonkeyPatch):
    network, info = load_network(stages[0])
    read: list[str] = []
    plain = cache.safe_open

    class Watched:
        def __init__(self, *arguments: object) -> None:
            self.file = plain(*arguments)

        def __enter__(self) -> Watched:
            self.file = self.file.__enter__()
            return self

        def __exit__(self, *error: object) -> None:
            self.file.__exit__(*error)

        def keys(self) -> list[str]:
            return self.file.keys()

        def get_tensor(self, name: str) -> object:
            read.append(name)
            return self.file.get_tensor(name)

    monkeypatch.setattr(cache, "safe_open", Watched)
    frozen_sha256(stages[0], info)
    frozen = {id(p) for p in network.backbone.frozen_parameters()}
    parameters = {name for name, p in network.named_parameters() if id(p) in frozen}
    modules = {name.rsplit(".", 1)[0] for name in parameters}
    buffers = {
        name
        for name, _ in network.named_buffers()
        if name.rsplit(".", 1)[0] in modules and not name.endswith("num_batches_tracked")
    }
    assert set(read) == parameters | buffers and buffers


def test_a_folder_that_cannot_be_written_costs_only_time(
    stages: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "file").write_text("")
    graphs = graphs_of(stages[0], tmp_path / "file" / "inside")
    assert len(graphs.rest) > 1000 and "set ONEHEAD_CACHE" in caplog.text


def test_the_oldest_go_beyond_the_bound(
    stages: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    graphs_of(stages[0], tmp_path)
    kept = sum(path.stat().st_size for path in tmp_path.iterdir())
    monkeypatch.setattr(cache, "KEPT_BYTES", kept + 100)
    graphs_of(stages[1], tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= kept + 100
    assert any("backbone" in name for name in names(tmp_path))  # used by both, so used last


def test_the_folder_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("ONEHEAD_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("ONEHEAD_CACHE")
    assert cache_folder() == Path.home() / ".cache" / "onehead"


@pytest.fixture
def backbone_and_example(stages: list[Path]) -> tuple[onnx.ModelProto, graph_export.Example]:
    """A backbone half as exported, and what it must give."""
    network, _ = load_network(stages[0])
    backbone = graph_export.BackboneHalf(network).eval()
    pixels = graph_export.random_pixels(1, (64, 64))
    with torch.no_grad():
        maps = backbone(pixels)
        graph = graph_export.export(backbone, (pixels,), ["pixels"], [f"map{i}" for i in range(2)])
    return graph, graph_export.Example({"pixels": pixels}, maps)


def test_a_wrong_graph_is_not_accepted(backbone_and_example: tuple):
    graph, example = backbone_and_example
    off = graph_export.Example(example.feed, [m + m.abs().max() for m in example.wanted])
    with pytest.raises(RuntimeError, match="off from PyTorch"):
        graph_export.fastest(graph, [example, off], True)


def broken(model: onnx.ModelProto) -> onnx.ModelProto:
    raise ValueError("no such pattern")


def wrong(model: onnx.ModelProto) -> onnx.ModelProto:
    next(n for n in model.graph.node if n.op_type == "Sigmoid").op_type = "Tanh"
    return model


@pytest.mark.parametrize("failure", [broken, wrong])
def test_a_form_that_fails_gives_way_to_the_next(
    backbone_and_example: tuple, monkeypatch: pytest.MonkeyPatch, failure: Callable
):
    graph, example = backbone_and_example
    monkeypatch.setattr(graph_export, "blocked", failure)
    rewritten, distance = graph_export.fastest(graph, [example], True)
    assert rewritten == graph_export.fastest(graph, [example], False)[0] and distance < 1e-3
    monkeypatch.setattr(graph_export, "faster", failure)
    content, distance = graph_export.fastest(graph, [example], True)
    assert content == graph.SerializeToString() and distance < 1e-3
