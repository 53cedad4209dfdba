"""The loop of one stage: its rate, its frozen backbone, and what it does when the loss explodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mtl_core.config import RunConfig, StageConfig
from mtl_core.learning.stage import NotFinite, StageState, begin_stage, one_cycle, train_epoch
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.presets import tiny
from mtl_core.retention import Retention, StageContext
from mtl_core.retention.distill import Distill


class Batches:
    """The same two classification batches in every epoch."""

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[tuple[str, Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(0)
        for _ in range(2):
            pixels = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8, generator=generator)
            yield "cls", pixels, torch.tensor([0, 1, 2])


def trained(
    network: UnifiedVisionSystem,
    retention: Retention,
    state: StageState,
    config: RunConfig,
    stage: StageConfig,
) -> None:
    steps = train_epoch(
        state, config, stage, retention, network.backbone.frozen, Batches(), torch.device("cpu")
    )
    for _ in steps:
        pass


def test_the_rate_rises_and_falls():
    factor = one_cycle(100, 0.1)
    rates = [factor(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == rates[9] == rates[10] == 1
    assert rates[:10] == sorted(rates[:10]) and rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_stages_have_rates_too(steps: int):
    factor = one_cycle(steps, 0.1)
    assert factor(0) == 1 and all(0 <= factor(step) <= 1 for step in range(steps + 1))


def test_a_stage_that_spares_the_backbone_moves_none_of_it_and_the_next_one_does(
    tiny_network: UnifiedVisionSystem,
):
    config = tiny()
    sparing = replace(config.stages[2], lr_backbone=0.0)
    tiny_network.freeze_norms()
    tiny_network.backbone.freeze_until(None)
    before = {n: v.clone() for n, v in tiny_network.backbone.state_dict().items()}
    method = Distill()
    method.before_stage(StageContext(tiny_network, sparing, ["seg", "det"]))
    state = begin_stage(tiny_network, config, sparing, ["seg", "det"], ["cls"], 2)
    trained(tiny_network, method, state, config, sparing)
    after = tiny_network.backbone.state_dict()
    assert all(torch.equal(v, before[n]) for n, v in after.items())
    assert (state.epoch, state.step) == (1, 2)
    assert set(state.losses) == {"cls", "keep_seg", "keep_det", "keep_neck"}

    tiny_network.backbone.freeze_until(config.model.frozen_blocks)
    state = begin_stage(tiny_network, config, config.stages[2], ["seg", "det"], ["cls"], 2)
    assert "backbone" in {group["name"] for group in state.optimizer.param_groups}
    trained(tiny_network, Retention(), state, config, config.stages[2])
    after = tiny_network.backbone.state_dict()
    moved = [n for n, v in after.items() if not torch.equal(v, before[n])]
    assert moved and all(int(n.split(".")[1]) >= config.model.frozen_blocks for n in moved)


def test_the_average_follows_the_weights(tiny_network: UnifiedVisionSystem):
    config = tiny()
    stage = config.stages[2]
    start = tiny_network.head.output.weights["cls"].detach().clone()
    state = begin_stage(tiny_network, config, stage, ["seg", "det"], ["cls"], 2)
    trained(tiny_network, Retention(), state, config, stage)
    now = tiny_network.head.output.weights["cls"].detach()
    average = state.average.module.head.output.weights["cls"].detach()
    assert 0 < (average - start).norm() < (now - start).norm()


def test_an_exploded_loss_stops_with_its_table(tiny_network: UnifiedVisionSystem):
    config = tiny()
    stage = config.stages[2]
    state = begin_stage(tiny_network, config, stage, ["seg", "det"], ["cls"], 2)
    with torch.no_grad():
        tiny_network.readouts["cls"].linear.bias.fill_(torch.inf)
    weights = tiny_network.neck.laterals[0].weight.detach().clone()
    with pytest.raises(NotFinite, match=r"stage cls is not finite at step 0 \(cls nan\)"):
        trained(tiny_network, Retention(), state, config, stage)
    assert torch.equal(tiny_network.neck.laterals[0].weight, weights)


def test_laps_tell_where_the_time_went(
    tiny_network: UnifiedVisionSystem, capsys: pytest.CaptureFixture
):
    config = tiny()
    state = begin_stage(tiny_network, config, config.stages[2], ["seg", "det"], ["cls"], 2)
    trained(tiny_network, Retention(), state, config, config.stages[2])
    assert state.laps.images == 6 and set(state.laps.seconds) == {
        "waiting for images",
        "frozen part of the backbone",
        "forward",
        "loss",
        "against forgetting",
        "backward",
        "optimizer step",
    }
    state.laps.print("cls")
    told = capsys.readouterr().out
    assert "images per second" in told and "backward" in told
