"""Which parameters a stage moves, when the stages follow each other on one network."""

from __future__ import annotations

import pytest
from torch import Tensor

from mtl_core.config import RunConfig
from mtl_core.learning.stage import StageState, begin_stage
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.presets import tiny


def begun(network: UnifiedVisionSystem, config: RunConfig, number: int) -> StageState:
    """The stages up to ``number`` begun one after another, as a run does."""
    for n in range(1, number + 1):
        earlier = [stage.task for stage in config.stages[: n - 1]]
        state = begin_stage(
            network, config, config.stages[n - 1], earlier, [config.stages[n - 1].task], 10
        )
    return state


def parts(state: StageState) -> dict[int, str]:
    return {id(p): g["name"] for g in state.optimizer.param_groups for p in g["params"]}


def owned(network: UnifiedVisionSystem, task: str) -> dict[str, Tensor]:
    return {n: p for n, p in network.named_parameters() if task in n.split(".")}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_stage_moves_the_slice_of_its_own_task(
    tiny_network: UnifiedVisionSystem, number: int
):
    state = begun(tiny_network, tiny(), number)
    own = owned(tiny_network, tiny().stages[number - 1].task)
    moved = parts(state)
    assert own
    assert {name: moved.get(id(p)) for name, p in own.items()} == dict.fromkeys(own, "own")
    assert all(p.requires_grad for p in own.values())


@pytest.mark.parametrize("number", [1, 2, 3])
def test_earlier_slices_are_old_and_later_ones_left_alone(
    tiny_network: UnifiedVisionSystem, number: int
):
    config = tiny()
    moved = parts(begun(tiny_network, config, number))
    for n, stage in enumerate(config.stages, start=1):
        expected = "old" if n < number else "own" if n == number else None
        assert {moved.get(id(p)) for p in owned(tiny_network, stage.task).values()} == {expected}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_frozen_half_is_moved_by_no_stage(tiny_network: UnifiedVisionSystem, number: int):
    moved = parts(begun(tiny_network, tiny(), number))
    frozen = tiny_network.backbone.frozen_parameters()
    assert frozen
    assert not [p for p in frozen if id(p) in moved or p.requires_grad]


def test_train_sets_trained_together_are_all_new(tiny_network: UnifiedVisionSystem):
    config = tiny()
    tasks = [stage.task for stage in config.stages]
    moved = parts(begin_stage(tiny_network, config, config.stages[0], [], tasks, 10))
    for task in tasks:
        assert {moved.get(id(p)) for p in owned(tiny_network, task).values()} == {"own"}


def test_beginning_a_stage_afresh_moves_the_same_parts(tiny_network: UnifiedVisionSystem):
    # A resumed run begins its stage on a network that began no other.
    config = tiny()
    afresh = parts(begin_stage(tiny_network, config, config.stages[1], ["seg"], ["det"], 10))
    assert parts(begun(tiny_network, config, 2)) == afresh
