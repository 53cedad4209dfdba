"""Columns: what an earlier task says stays bit for bit, and a later one can still learn."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mtl_core.config import ModelConfig
from mtl_core.learning.stage import begin_stage
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.presets import tiny
from mtl_core.retention import StageContext
from mtl_core.retention.progressive import Progressive, column_of
from mtl_core.tasks import build_tasks

ORDER = ["seg", "det", "cls"]


def test_channels_are_divided_in_order():
    assert column_of(8, 3).tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    assert column_of(5, 1).tolist() == [0] * 5
    for channels in (32, 64, 128, 256):
        counts = column_of(channels, 3).bincount()
        assert counts[0] == channels // 2 and counts.sum() == channels and counts.min() > 0


def raw_of(network: UnifiedVisionSystem, task: str, pixels: Tensor) -> Tensor:
    with torch.no_grad():
        return network.eval()(pixels).raw[task].clone()


def steps(network: UnifiedVisionSystem, method: Progressive, number: int, n: int = 3) -> Tensor:
    """A few real optimizer steps of a stage, on noise; the averaged network replaces it."""
    config, earlier = tiny(), ORDER[: number - 1]
    if earlier:
        network.freeze_norms()
    stage = method.settings(replace(config.stages[number - 1], lr=0.05), earlier)
    network.backbone.freeze_until(config.model.frozen_blocks if stage.lr_backbone else None)
    method.before_stage(StageContext(network, stage, earlier))
    state = begin_stage(network, config, stage, earlier, [stage.task], n)
    network.train()
    generator = torch.Generator().manual_seed(number)
    for _ in range(n):
        raw = network(torch.randn(2, 3, 64, 64, generator=generator)).raw[stage.task]
        loss = (raw - 1).square().mean()
        state.optimizer.zero_grad()
        loss.backward()
        state.optimizer.step()
        method.after_step()
        state.average.update_parameters(network)
    network.load_state_dict(state.average.module.state_dict())
    return loss


@pytest.mark.parametrize("kind", ["separable", "dense"])
def test_earlier_outputs_stay_bit_for_bit(tiny_model: ModelConfig, kind: str):
    torch.manual_seed(0)
    names = {"seg": ["background", "a", "b"], "det": ["a", "b"], "cls": ["a", "b"]}
    network = UnifiedVisionSystem(
        replace(tiny_model, head_kind=kind),  # type: ignore[arg-type]
        build_tasks(names),
    )
    method, pixels = Progressive(), torch.randn(2, 3, 64, 96)
    said: dict[str, Tensor] = {}
    for number, task in enumerate(ORDER, start=1):
        before = raw_of(network, task, pixels)
        steps(network, method, number)
        for old, wanted in said.items():
            assert torch.equal(raw_of(network, old, pixels), wanted), (number, old)
        said[task] = raw_of(network, task, pixels)
        assert not torch.equal(said[task], before)


def test_a_later_task_reads_earlier_columns_and_moves_only_its_own(
    tiny_network: UnifiedVisionSystem,
):
    method = Progressive()
    steps(tiny_network, method, 1)
    before = {n: p.detach().clone() for n, p in tiny_network.named_parameters()}
    steps(tiny_network, method, 2)
    weight = dict(tiny_network.named_parameters())["head.layer2.1.weight"]
    column = column_of(len(weight), 3)
    moved = (weight != before["head.layer2.1.weight"]).flatten(1)
    assert moved[column == 1].any() and not moved[column != 1].any()
    assert (weight[column == 1][:, column_of(weight.shape[1], 3) == 0] != 0).any()
    backbone = [n for n in before if n.startswith("backbone.")]
    assert all(torch.equal(dict(tiny_network.named_parameters())[n], before[n]) for n in backbone)


def test_nothing_is_distilled_and_the_backbone_stands_still_later():
    method, stages = Progressive(), tiny().stages
    assert method.settings(stages[0], []).lr_backbone == stages[0].lr_backbone
    later = method.settings(stages[2], ["seg", "det"])
    assert (later.lr_backbone, later.lr_old, later.distill, later.distill_neck) == (0, 0, {}, 0)
