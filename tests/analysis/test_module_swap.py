"""Parts put back: together they are the whole earlier network, and none overlaps another."""

from __future__ import annotations

import torch

from mtl_core.analysis.module_swap import PARTS, put_back
from mtl_core.model.network import UnifiedVisionSystem


def test_every_weight_is_some_parts_and_only_one(tiny_network: UnifiedVisionSystem):
    for name in tiny_network.state_dict():
        owners = [part for part, belongs in PARTS.items() if belongs(name, "seg")]
        if "norm statistics" in owners:
            continue  # statistics belong to their layer, too
        others = ("det", "cls")
        foreign = any(task in name.split(".") for task in others)
        assert len(owners) == (0 if foreign else 1), (name, owners)


def test_a_part_put_back_is_the_earlier_one_and_the_rest_the_final_one(
    tiny_network: UnifiedVisionSystem,
):
    final = tiny_network.state_dict()
    base = {name: torch.zeros_like(value) for name, value in final.items()}
    mixed = put_back(final, base, "output slice", "det")
    changed = {name for name in final if mixed[name] is base[name]}
    assert changed == {name for name in final if "det" in name.split(".")} and changed
    assert all(mixed[name] is final[name] for name in final if name not in changed)
