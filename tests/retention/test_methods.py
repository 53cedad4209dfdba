"""What keeps the earlier tasks: the teacher stands still, and only the student is trained."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.presets import tiny
from mtl_core.retention import METHODS, StageContext
from mtl_core.retention.distill import Distill


def begun(network: UnifiedVisionSystem) -> Distill:
    """The third stage's distillation, which holds two tasks and the neck."""
    network.freeze_norms()
    method = Distill()
    method.before_stage(StageContext(network, tiny().stages[2], ["seg", "det"]))
    return method


def test_the_student_starts_where_the_teacher_is(tiny_network: UnifiedVisionSystem):
    method = begun(tiny_network)
    with torch.no_grad():
        cut = tiny_network.train().backbone.frozen(torch.randn(2, 3, 64, 64))
        terms = method.loss(cut, tiny_network(features=cut))
    assert set(terms) == {"keep_seg", "keep_det", "keep_neck"}
    for name, value in terms.items():
        assert abs(value.item()) < 1e-5, name


def test_the_teacher_stands_still_while_the_student_moves(tiny_network: UnifiedVisionSystem):
    method = begun(tiny_network)
    teacher = method.teacher
    assert teacher is not None and not teacher.training
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in tiny_network.parameters() if p.requires_grad], lr=0.1)
    tiny_network.train()
    for _ in range(2):
        cut = tiny_network.backbone.frozen(torch.randn(2, 3, 64, 64))
        outputs = tiny_network(features=cut)
        own = outputs.raw["cls"].square().sum() + outputs.fused.square().mean()
        terms = method.loss(cut, outputs)
        optimizer.zero_grad()
        (own + sum(terms.values())).backward()
        optimizer.step()
    assert all(torch.equal(v, before[k]) for k, v in teacher.state_dict().items())
    assert not any(p.requires_grad or p.grad is not None for p in teacher.parameters())
    assert sum(t.item() for t in terms.values()) > 0  # the student left it behind


@pytest.mark.parametrize("name", ["keep_seg", "keep_det", "keep_neck"])
def test_every_term_pulls_at_the_student(tiny_network: UnifiedVisionSystem, name: str):
    method = begun(tiny_network)
    with torch.no_grad():
        for p in tiny_network.neck.parameters():
            p.add_(torch.randn_like(p) * 0.3)
        for p in tiny_network.head.output.parameters():
            p.add_(torch.randn_like(p) * 0.3)
    cut = tiny_network.backbone.frozen(torch.randn(2, 3, 64, 64))
    term = method.loss(cut, tiny_network(features=cut))[name]
    assert term.item() > 0
    term.backward()
    pulled = tiny_network.neck.laterals[0].weight.grad
    assert pulled is not None and pulled.isfinite().all() and pulled.abs().sum() > 0


def test_weights_scale_their_terms_and_zero_leaves_them_out(tiny_network: UnifiedVisionSystem):
    stage = replace(tiny().stages[2], distill={"seg": 2.0}, distill_neck=0.0)
    single = replace(stage, distill={"seg": 1.0})
    found = []
    for chosen in (stage, single):
        method = Distill()
        method.before_stage(StageContext(tiny_network, chosen, ["seg", "det"]))
        torch.manual_seed(1)
        cut = tiny_network.eval().backbone.frozen(torch.randn(1, 3, 64, 64))
        outputs = tiny_network(features=cut)
        outputs.raw["seg"] = outputs.raw["seg"] + torch.randn_like(outputs.raw["seg"])
        found.append(method.loss(cut, outputs))
    assert list(found[0]) == ["keep_seg"]
    torch.testing.assert_close(found[0]["keep_seg"], 2 * found[1]["keep_seg"])


@pytest.mark.parametrize(
    ("method", "number"),
    [
        ("finetune", 1),  # nothing to keep yet
        ("finetune", 3),  # and nothing kept later
        ("distill", 1),  # nobody to learn from
    ],
)
def test_nothing_is_added(tiny_network: UnifiedVisionSystem, method: str, number: int):
    config = tiny()
    earlier = [stage.task for stage in config.stages[: number - 1]]
    retention = METHODS[method]()
    retention.before_stage(StageContext(tiny_network, config.stages[number - 1], earlier))
    cut = tiny_network.eval().backbone.frozen(torch.randn(1, 3, 32, 32))
    assert retention.loss(cut, tiny_network(features=cut)) == {}
