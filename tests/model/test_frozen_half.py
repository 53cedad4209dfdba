"""The frozen half stays bit for bit what it was, and gives the same wherever it is cut."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from mtl_core.learning.frozen_features import FrozenFeatures
from mtl_core.learning.stage import begin_stage
from mtl_core.model.backbone import Backbone, EvenSameConv2d
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.presets import tiny


def frozen_state(network: UnifiedVisionSystem) -> dict[str, Tensor]:
    """Weights of the frozen half, and every batch-norm statistic of the backbone."""
    backbone = network.backbone
    weights = {id(p) for p in backbone.frozen_parameters()}
    state = {f"w {n}": p for n, p in backbone.named_parameters() if id(p) in weights}
    state |= {f"b {n}": b for n, b in backbone.named_buffers()}
    return {name: value.detach().clone() for name, value in state.items()}


def real_step(network: UnifiedVisionSystem, number: int) -> None:
    """One optimizer step of a stage, on noise."""
    config = tiny()
    stage = config.stages[number - 1]
    earlier = [s.task for s in config.stages[: number - 1]]
    if earlier:
        network.freeze_norms()
    state = begin_stage(network, config, stage, earlier, [stage.task], 1)
    network.train()
    raw = network(torch.randn(2, 3, 64, 64)).raw
    sum(r.square().mean() for r in raw.values()).backward()
    state.optimizer.step()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_step_of_any_stage_leaves_the_frozen_half(tiny_network: UnifiedVisionSystem, number: int):
    before, all_before = frozen_state(tiny_network), copy.deepcopy(tiny_network.state_dict())
    real_step(tiny_network, number)
    after = frozen_state(tiny_network)
    assert before.keys() == after.keys() and len(before) > 100
    assert [name for name in before if not torch.equal(before[name], after[name])] == []
    # The step was a real one: what is not frozen did move.
    moved = [n for n, v in tiny_network.state_dict().items() if not torch.equal(v, all_before[n])]
    assert any(n.startswith("backbone.blocks") for n in moved)
    assert any(n.startswith("neck.") for n in moved)


def test_train_mode_does_not_reach_the_backbone(tiny_network: UnifiedVisionSystem):
    tiny_network.train()
    assert tiny_network.training and not any(m.training for m in tiny_network.backbone.modules())
    assert tiny_network.neck.norm.training


def test_frozen_norms_stay_in_every_mode(tiny_network: UnifiedVisionSystem):
    tiny_network.train()
    tiny_network(torch.randn(2, 3, 64, 64))
    moved = tiny_network.neck.norm.running_mean.clone()
    assert moved.abs().sum() > 0  # the first stage does move neck and head
    tiny_network.freeze_norms()
    buffers = {n: b.clone() for n, b in tiny_network.named_buffers()}
    tiny_network.train()
    tiny_network(torch.randn(2, 3, 64, 64) + 3)
    assert all(torch.equal(b, buffers[n]) for n, b in tiny_network.named_buffers())


@pytest.mark.parametrize("cut", [0, 3, 8, 16])  # nothing, at the first tap, as shipped, everything
def test_the_halves_give_what_the_whole_gives(tiny_network: UnifiedVisionSystem, cut: int):
    backbone = tiny_network.backbone.eval()
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        whole = backbone(x)
        backbone.freeze_until(cut)
        halves = backbone.rest(backbone.frozen(x))
    assert [tuple(f.shape[-2:]) for f in whole] == [(8, 12), (4, 6), (2, 3)]
    for a, b in zip(whole, halves, strict=True):
        assert torch.equal(a, b)


def test_the_graph_equals_pytorch(tiny_network: UnifiedVisionSystem):
    graph = FrozenFeatures(tiny_network.backbone, torch.device("cpu"), threads=1)
    assert graph.graph is not None
    x = torch.randn(2, 3, 96, 64)
    with torch.no_grad():
        expected = tiny_network.backbone.frozen(x)
    for a, b in zip(graph(x), expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


@pytest.fixture
def whole_timm(tmp_path: Path) -> tuple[torch.nn.Module, Path]:
    """timm's whole classifier with random statistics, and a file of its weights."""
    torch.manual_seed(0)
    whole = timm.create_model("tf_efficientnet_b0", pretrained=False).eval()
    for name, values in whole.named_buffers():
        if name.startswith("bn2.") and values.ndim:
            values.uniform_(0.5, 1.5)
    save_file(whole.state_dict(), tmp_path / "whole.safetensors")
    return whole, tmp_path / "whole.safetensors"


def test_constant_padding_equals_timms(tiny_network: UnifiedVisionSystem, whole_timm: tuple):
    whole, weights = whole_timm
    theirs = timm.create_model(
        "tf_efficientnet_b0", features_only=True, out_indices=(2, 3, 4), pretrained=False
    ).eval()
    theirs.load_state_dict(
        {k: v for k, v in whole.state_dict().items() if k in theirs.state_dict()}
    )
    ours = tiny_network.backbone.eval()
    ours.load_initial(weights)
    assert any(isinstance(m, EvenSameConv2d) for m in ours.modules())
    for size in [(64, 64), (96, 160)]:
        x = torch.randn(1, 3, *size)
        with torch.no_grad():
            for a, b in zip(ours(x), theirs(x), strict=True):
                torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_classification_starts_from_timms_last_convolution(
    tiny_network: UnifiedVisionSystem, whole_timm: tuple
):
    whole, weights = whole_timm
    tiny_network.eval().load_initial(weights)
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        wide = tiny_network.readouts["cls"].widen(tiny_network.backbone(x)[-1])
        last = whole.forward_features(x)
    torch.testing.assert_close(F.silu(wide), last[:, : wide.shape[1]], atol=1e-4, rtol=1e-3)


def test_a_fresh_backbone_is_not_moved_by_what_a_run_does_first():
    backbone = Backbone(tiny().model)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    frozen = FrozenFeatures(backbone, torch.device("cpu"), 1)
    pixels = torch.randn(3, 3, 64, 96)
    found, wanted = frozen(pixels), backbone.frozen(pixels)
    backbone(pixels)
    assert all(torch.equal(v, before[name]) for name, v in backbone.state_dict().items())
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
