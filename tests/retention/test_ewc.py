"""Elastic weight consolidation: nothing to pay at the old weights, and more where it mattered."""

from __future__ import annotations

from collections.abc import Callable

import torch

from mtl_core.data.tensor_input import normalise
from mtl_core.model.network import Outputs, UnifiedVisionSystem
from mtl_core.presets import tiny
from mtl_core.retention import StageContext
from mtl_core.retention.ewc import PENALTY, Ewc, fisher_diagonal

NOTHING = Outputs(torch.zeros(()), {})


def after_first(network: UnifiedVisionSystem, train_sets: dict) -> Ewc:
    method = Ewc()
    method.before_stage(StageContext(network, tiny().stages[0], [], train_sets))
    assert method.loss([], NOTHING) == {}
    method.after_stage(StageContext(network, tiny().stages[0], [], train_sets))
    method.before_stage(StageContext(network, tiny().stages[1], ["seg"], train_sets))
    return method


def test_the_penalty_is_zero_at_the_old_weights_and_grows_with_fisher(
    tiny_network: UnifiedVisionSystem, train_sets: Callable
):
    method = after_first(tiny_network, train_sets())
    assert method.loss([], NOTHING)["keep_seg"].item() == 0
    fisher = method.fisher["seg"]
    name = "neck.laterals.0.weight"
    order = fisher[name].flatten().argsort()
    weak, strong = order[0], order[-1]
    assert fisher[name].flatten()[strong] > fisher[name].flatten()[weak] >= 0
    paid = []
    weight = dict(tiny_network.named_parameters())[name]
    for entry in (weak, strong):
        with torch.no_grad():
            weight.view(-1)[entry] += 0.5
        paid.append(method.loss([], NOTHING)["keep_seg"].item())
        with torch.no_grad():
            weight.copy_(method.anchor["seg"][name])
    assert 0 <= paid[0] < paid[1]
    # Kirkpatrick et al., eq. 3: lambda / 2 * F * (theta - theta*)^2.
    expected = PENALTY / 2 * fisher[name].flatten()[strong].item() * 0.25
    torch.testing.assert_close(paid[1], expected, rtol=1e-4, atol=0)


def test_fisher_is_the_mean_squared_gradient_and_leaves_no_trace(
    tiny_network: UnifiedVisionSystem, train_sets: Callable
):
    train_set = train_sets()
    before = {k: v.clone() for k, v in tiny_network.state_dict().items()}
    context = StageContext(tiny_network.train(), tiny().stages[2], ["seg", "det"], train_set)
    fisher = fisher_diagonal(tiny_network, context, "cls")
    assert tiny_network.training
    assert all(torch.equal(v, before[k]) for k, v in tiny_network.state_dict().items())
    assert set(train_set["cls"].views.read) == set(range(16))
    assert not hasattr(train_set["seg"].views, "read") and not hasattr(
        train_set["det"].views, "read"
    )
    assert all((f >= 0).all() for f in fisher.values())
    # The mean over images of each one's squared gradient.
    name, wanted = "readouts.cls.linear.weight", 0.0
    weight = dict(tiny_network.named_parameters())[name]
    epochs = train_set["cls"].views.stage.epochs
    for image in range(16):
        pixels, targets = train_set["cls"].batch([(epochs, image, 0)])
        raw = tiny_network.eval()(normalise(pixels, tiny_network.config)).raw["cls"]
        loss = sum(train_set["cls"].task.loss(raw, targets).values())
        wanted = wanted + torch.autograd.grad(loss, weight)[0].square() / 16
    torch.testing.assert_close(fisher[name], wanted)
    # What classification does not reach is not watched; the backbone's frozen blocks neither.
    assert not [n for n in fisher if "det" in n.split(".") or n.startswith("backbone.blocks.0")]
    assert "readouts.cls.linear.weight" in fisher
    assert any(n.startswith("backbone.blocks.1") for n in fisher)


def test_every_earlier_task_has_a_penalty_of_its_own(
    tiny_network: UnifiedVisionSystem, train_sets: Callable
):
    watched = train_sets()
    method = after_first(tiny_network, watched)
    method.after_stage(StageContext(tiny_network, tiny().stages[1], ["seg"], watched))
    with torch.no_grad():
        tiny_network.neck.laterals[0].weight.add_(0.1)
    terms = method.loss([], NOTHING)
    assert set(terms) == {"keep_seg", "keep_det"} and all(t.item() > 0 for t in terms.values())
    again = Ewc()
    again.load_state_dict(method.state_dict())
    again.before_stage(StageContext(tiny_network, tiny().stages[2], ["seg", "det"], watched))
    assert {k: v.item() for k, v in again.loss([], NOTHING).items()} == {
        k: v.item() for k, v in terms.items()
    }
