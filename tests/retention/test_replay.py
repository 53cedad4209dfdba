"""Rehearsal: at most ten images of a task, all of them in turn, and no statistics moved."""

from __future__ import annotations

from collections.abc import Callable

import torch

from mtl_core.model.network import Outputs, UnifiedVisionSystem
from mtl_core.presets import tiny
from mtl_core.retention import StageContext
from mtl_core.retention.replay import MEMORY, Replay

NOTHING = Outputs(torch.zeros(()), {})


def test_ten_images_are_kept_and_rehearsed_in_turn(
    tiny_network: UnifiedVisionSystem, train_sets: Callable
):
    method, watched = Replay(), train_sets()
    for number, stage in enumerate(tiny().stages[:2]):
        earlier = [s.task for s in tiny().stages[:number]]
        method.before_stage(StageContext(tiny_network, stage, earlier, watched))
        method.after_stage(StageContext(tiny_network, stage, earlier, watched))
    assert {task: len(kept) for task, kept in method.memory.items()} == {"seg": 10, "det": 10}
    assert all(len(set(kept)) == MEMORY for kept in method.memory.values())
    tiny_network.freeze_norms()
    tiny_network.train()
    before = {k: v.clone() for k, v in tiny_network.named_buffers()}
    method.before_stage(StageContext(tiny_network, tiny().stages[2], ["seg", "det"], watched))
    terms = [set(method.loss([], NOTHING, step)) for step in range(10)]
    assert terms == [{"keep_seg"}, {"keep_det"}] * 5
    for task in ("seg", "det"):
        assert set(watched[task].views.read) == set(method.memory[task])
    assert not hasattr(watched["cls"].views, "read")
    assert all(torch.equal(v, before[k]) for k, v in tiny_network.named_buffers())


def test_a_step_rehearses_the_same_views_wherever_it_is_resumed(
    tiny_network: UnifiedVisionSystem, train_sets: Callable
):
    tiny_network.freeze_norms()
    found = []
    for steps in ([0, 1, 2], [2]):
        method = Replay()
        method.load_state_dict({"memory": {"seg": [0, 5, 9]}})
        method.before_stage(StageContext(tiny_network, tiny().stages[1], ["seg"], train_sets()))
        losses = [method.loss([], NOTHING, step)["keep_seg"].item() for step in steps]
        found.append(losses[-1])
    assert found[0] == found[1] > 0


def test_what_is_rehearsed_is_learned(tiny_network: UnifiedVisionSystem, train_sets: Callable):
    method = Replay()
    method.load_state_dict({"memory": {"seg": list(range(8))}})
    tiny_network.freeze_norms()
    method.before_stage(StageContext(tiny_network, tiny().stages[1], ["seg"], train_sets()))
    weights = [*tiny_network.neck.parameters(), *tiny_network.head.parameters()]
    optimizer = torch.optim.AdamW(weights, 5e-3)
    losses = []
    for step in range(12):
        loss = method.loss([], NOTHING, step)["keep_seg"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-3:]) < sum(losses[:3])
