"""How fast a stage trains: every way is timed, and a block goes on where the last one ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtl_core.learning.stage import StageState, begin_stage
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.tasks.data_roots import DataRoots
from training.benchmark_training import SLOW_POINTWISE, WAYS, Blocks, Options, main, way


def test_blocks_walk_through_the_epochs():
    blocks = Blocks(list("abcde"), 2)
    assert ["".join(blocks) for _ in range(4)] == ["ab", "cd", "ea", "bc"]


def test_every_way_is_measured(rendered: DataRoots, backbone_file: Path, tmp_path: Path):
    out = tmp_path / "training.json"
    options = Options(
        data=rendered["seg"].parent,
        out=out,
        preset="tiny",
        init=backbone_file,
        rounds=2,
        steps=1,
        threads=1,
        workers=0,
    )
    main(options)
    found = json.loads(out.read_text())["training"]
    assert set(found["times"]) == {*WAYS, SLOW_POINTWISE}
    assert all(times["p50_ms"] > 0 for times in found["times"].values())
    assert set(found["ratios"]) == {
        "plain loop / with teacher",
        "with teacher / without teacher",
        "with teacher / by im2col",
    }


def test_all_ways_move_the_same_weights(
    rendered: DataRoots, backbone_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    moved: dict[str, int] = {}

    def counted(network: UnifiedVisionSystem, *rest: object) -> StageState:
        state = begin_stage(network, *rest)
        moved[str(len(moved))] = sum(p.numel() for p in network.parameters() if p.requires_grad)
        return state

    monkeypatch.setattr("training.benchmark_training.begin_stage", counted)
    options = Options(
        rendered["seg"].parent, preset="tiny", init=backbone_file, threads=1, workers=0
    )
    for name in WAYS:
        way(options, name, tmp_path / name)
    assert len(moved) == 3 and len(set(moved.values())) == 1
