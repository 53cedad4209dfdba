"""One pair of graphs per architecture: made once, in another process, and true of all weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mtl_core.config import ModelConfig
from mtl_core.engine.network_file import load_network, save_checkpoint
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.onnx_graphs import export as graph_export
from mtl_core.onnx_graphs import template as cache
from mtl_core.onnx_graphs.export import (
    TOLERANCE,
    BackboneHalf,
    Example,
    RestHalf,
    difference,
    random_pixels,
    template_from,
    weights_of,
)
from mtl_core.onnx_graphs.session import Graph, open_graph
from mtl_core.onnx_graphs.template import (
    Template,
    cache_folder,
    shipped_path,
    sources_sha256,
    template_of,
)
from mtl_core.runs.checkpoint import read_header
from mtl_core.tasks import build_tasks
from mtl_core.types import InputError
from training.export_graphs import export_graphs

RUNS = Path(__file__).resolve().parents[2] / "assets" / "runs"
SHIPPED = sorted(RUNS.glob("*/stage*.safetensors"))
TO_DO = "run python -m training.export_graphs and commit what it writes"


def differences(template: Template, checkpoint: Path) -> list[float]:
    """Of both halves holding a checkpoint's weights, from PyTorch."""
    network, _ = load_network(checkpoint)
    backbone, rest = BackboneHalf(network).eval(), RestHalf(network).eval()
    found = []
    for n, hw in ((1, (64, 64)), (2, (32, 96))):
        pixels = random_pixels(n, hw)
        with torch.no_grad():
            maps = backbone(pixels)
            feed = {f"map{i}": value for i, value in enumerate(maps)}
            answers = rest(*maps)
        found += [
            difference(
                open_graph(template.backbone, checkpoint), Example({"pixels": pixels}, maps)
            ),
            difference(open_graph(template.rest, checkpoint), Example(feed, answers)),
        ]
    return found


@pytest.fixture(scope="module")
def made(stages: list[Path]) -> bytes:
    """The file of the stages' architecture."""
    return template_from(load_network(stages[0])[0]).to_bytes()


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch, made: bytes) -> list[Path]:
    """The checkpoints whose architectures were exported since; that takes no time here."""
    seen: list[Path] = []

    def counted(path: Path, info: object) -> bytes:
        seen.append(path)
        return made

    monkeypatch.setattr(cache, "_made", counted)
    return seen


def test_one_export_serves_all_weights(
    stages: list[Path], write_stage: Callable[..., Path], tmp_path: Path, exports: list[Path]
):
    stranger = write_stage(1, seed=7, backbone_seed=8)
    for path in (*stages, stranger):
        assert max(differences(template_of(path, tmp_path), path)) < 1e-4
    assert exports == [stages[0]] and len(list(tmp_path.iterdir())) == 1


def test_other_class_counts_are_another_architecture(
    stages: list[Path], tiny_model: ModelConfig, tmp_path: Path
):
    names = {"seg": ["background", "disc"], "cls": ["disc", "box"]}
    torch.manual_seed(0)
    network = UnifiedVisionSystem(tiny_model, build_tasks(names)).eval()
    path = tmp_path / "stage1.safetensors"
    save_checkpoint(path, network, 1, ["seg"])
    assert shipped_path(read_header(path)) != shipped_path(read_header(stages[0]))
    assert max(differences(template_from(network), path)) < 1e-2  # its weights are rounded


def test_the_size_of_images_is_no_part_of_an_architecture(stages: list[Path]):
    info = read_header(stages[0])
    larger = dataclasses.replace(info.model, input_px=640, max_enlarge=2.0)
    assert shipped_path(dataclasses.replace(info, model=larger)) == shipped_path(info)
    deeper = dataclasses.replace(info.model, frozen_blocks=3)
    assert shipped_path(dataclasses.replace(info, model=deeper)) != shipped_path(info)


def test_every_weight_is_put_in_and_none_is_kept(tiny_network: UnifiedVisionSystem):
    network = tiny_network.eval()
    template = template_from(network)
    weights = weights_of(network)
    assert template.backbone.shapes.keys() | template.rest.shapes.keys() == weights.keys()
    assert len(template.to_bytes()) < 50_000 < sum(value.nbytes for value in weights.values())
    frozen = network.backbone.frozen_parameters()
    named = {name for name, p in network.named_parameters() if any(p is f for f in frozen)}
    assert named <= template.backbone.shapes.keys() and not named & template.rest.shapes.keys()


def test_a_file_holds_the_whole_template(tiny_network: UnifiedVisionSystem):
    template = template_from(tiny_network.eval())
    assert Template.from_bytes(template.to_bytes()) == template
    assert template_from(tiny_network.eval()).to_bytes() == template.to_bytes()


@pytest.mark.parametrize("damage", [b"", b"cut", 0.1, 0.3, 0.5, 0.7, 0.98])
def test_a_damaged_file_is_made_anew(
    stages: list[Path], tmp_path: Path, exports: list[Path], damage: bytes | float
):
    whole = template_of(stages[0], tmp_path)
    (file,) = tmp_path.iterdir()
    if isinstance(damage, float):
        content = bytearray(file.read_bytes())
        content[int(len(content) * damage)] ^= 1
        file.write_bytes(content)
    else:
        file.write_bytes(damage)
    assert template_of(stages[0], tmp_path) == whole and len(exports) == 2
    assert template_of(stages[0], tmp_path) == whole and len(exports) == 2
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("changed", ["sources_sha256", "maker_versions"])
def test_a_graph_does_not_answer_for_other_code(
    stages: list[Path],
    tmp_path: Path,
    exports: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    changed: str,
):
    template_of(stages[0], tmp_path)
    monkeypatch.setattr(cache, changed, lambda *_: "other")
    template_of(stages[0], tmp_path)
    assert len(exports) == 2 and len(list(tmp_path.iterdir())) == 2


def test_the_sources_are_those_that_compute():
    before = sources_sha256(["seg", "det"])
    assert before == sources_sha256(["det", "seg"]) != sources_sha256(["seg"])
    assert sources_sha256(["nothing of ours"]) == sources_sha256([])


def test_a_shipped_graph_is_used_as_long_as_it_is_of_this_code(
    stages: list[Path],
    tmp_path: Path,
    exports: list[Path],
    made: bytes,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(cache, "SHIPPED", tmp_path / "shipped")
    (tmp_path / "shipped").mkdir()
    template = Template.from_bytes(made)
    path = shipped_path(read_header(stages[0]))
    path.write_bytes(template.to_bytes())
    assert template_of(stages[0], tmp_path / "cache") == template and not exports
    path.write_bytes(dataclasses.replace(template, sources="older").to_bytes())
    assert template_of(stages[0], tmp_path / "cache").sources == template.sources
    assert exports == [stages[0]]


def test_a_folder_that_cannot_be_written_costs_only_time(
    stages: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture, exports: list[Path]
):
    (tmp_path / "file").write_text("")
    template = template_of(stages[0], tmp_path / "file" / "inside")
    assert len(template.rest.graph) > 1000 and "set ONEHEAD_CACHE" in caplog.text


def test_the_folder_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("ONEHEAD_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("ONEHEAD_CACHE")
    assert cache_folder() == Path.home() / ".cache" / "onehead"


def test_what_the_other_process_refuses_is_told(stages: list[Path], tmp_path: Path):
    broken = tmp_path / "broken.safetensors"
    content = stages[0].read_bytes()
    broken.write_bytes(content.replace(b"neck.fusion", b"neck.fusing"))
    with pytest.raises(InputError, match=r"do not fit|are not those that were written"):
        template_of(broken, tmp_path / "cache")


def test_a_wrong_graph_is_not_accepted(tiny_network: UnifiedVisionSystem, monkeypatch):
    network = tiny_network.eval()
    plain = graph_export.weightless

    def wrong(model: object, names: dict) -> object:
        made = plain(model, names)
        next(n for n in made.graph.node if n.op_type == "Sigmoid").op_type = "Tanh"
        return made

    monkeypatch.setattr(graph_export, "weightless", wrong)
    with pytest.raises(RuntimeError, match="off from PyTorch"):
        template_from(network)


def test_what_is_not_finite_does_not_pass_as_near(tiny_network: UnifiedVisionSystem):
    network = tiny_network.eval()
    half, weights = template_from(network).backbone, weights_of(network)
    weights["backbone.stem.1.bias"] = np.full_like(weights["backbone.stem.1.bias"], np.nan)
    graph = Graph(half.graph, 1, {name: weights[name] for name in half.shapes})
    pixels = random_pixels(1, (32, 32))
    with torch.no_grad():
        example = Example({"pixels": pixels}, BackboneHalf(network)(pixels))
    with pytest.raises(RuntimeError, match="off from PyTorch by nan"):
        graph_export.verified(graph, [example])


@pytest.mark.skipif(not SHIPPED, reason="no run with checkpoints is shipped")
def test_shipped_graphs_are_those_of_this_code_and_compute_what_pytorch_does(tmp_path: Path):
    newest = {shipped_path(read_header(path)): path for path in SHIPPED}
    assert set(cache.SHIPPED.glob("*.zip")) == set(newest), TO_DO
    for path in export_graphs(RUNS, tmp_path):
        shipped = cache.SHIPPED / path.name
        found, fresh = (Template.from_bytes(p.read_bytes()) for p in (shipped, path))
        assert found.sources == fresh.sources, TO_DO
        assert found == fresh or found.makers != fresh.makers, TO_DO
        assert max(differences(found, newest[shipped])) < TOLERANCE
        assert shipped.stat().st_size < 2**20
