"""A run judged and explained by its own files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mtl_core.runs.checkpoint import read_header
from mtl_core.runs.run_directory import Run
from mtl_core.tasks.data_roots import DataRoots
from mtl_core.types import InputError
from training import explain, judge, rescore


def test_training_ends_with_verdicts_and_the_command_gives_the_same(
    whole_run: Path, rendered: DataRoots, tmp_path: Path
):
    written = json.loads((whole_run / "verdicts.json").read_text())
    run = tmp_path / "run"
    shutil.copytree(whole_run, run, ignore=shutil.ignore_patterns("state", "verdicts.json"))
    judge.main(judge.Options(run=run, data=rendered["seg"].parent))
    assert json.loads((run / "verdicts.json").read_text()) == written
    rows = {row["task"]: row for row in written["tasks"]}
    assert list(rows) == ["seg", "det", "cls"] and rows["cls"]["drop"] is None
    matrix = Run(whole_run).records().query("scope == 'stage'")
    for row in rows.values():
        own = matrix[(matrix["task"] == row["task"]) & (matrix["metric"] == row["metric"])]
        assert row["base"] == pytest.approx(own["value"].iloc[0], abs=1e-9)
        assert row["final"] == pytest.approx(own["value"].iloc[-1], abs=1e-9)
        assert row["n"] == 6
    # A predictor that never looks says background: the floor is three times its score.
    assert 0 < rows["seg"]["floor"] < 1 and rows["det"]["floor"] == 0.05


def test_predictions_of_other_images_are_refused(
    whole_run: Path, rendered: DataRoots, tmp_path: Path
):
    with pytest.raises(InputError, match="predictions of other images"):
        judge.main(judge.Options(whole_run, rendered["seg"].parent, split="train"))


def test_parts_put_back_explain_a_drop(whole_run: Path, rendered: DataRoots):
    content = explain.explain(explain.Options(whole_run, rendered["seg"].parent))
    assert set(content["tasks"]) == {"seg", "det"}
    for scores in content["tasks"].values():
        assert set(scores) == {"base", "final", *explain.PARTS}
        # Statistics never move after the first stage, so they explain nothing.
        assert scores["norm statistics"] == scores["final"]


def test_a_single_stage_has_nothing_to_explain(whole_run: Path, rendered: DataRoots, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("run.json", "stage1.safetensors"):
        shutil.copy(whole_run / name, run / name)
    with pytest.raises(InputError, match="single stage"):
        explain.explain(explain.Options(run, rendered["seg"].parent))


def stage_rows(run: Path) -> list[dict]:
    lines = (run / "records.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["scope"] == "stage"]


def test_a_run_is_scored_anew_at_its_own_or_at_another_input_size(
    whole_run: Path, rendered: DataRoots, tmp_path: Path
):
    run = tmp_path / "run"
    shutil.copytree(whole_run, run, ignore=shutil.ignore_patterns("state", "verdicts.json"))
    rescore.rescore(rescore.Options(run, rendered["seg"].parent))
    assert stage_rows(run) == stage_rows(whole_run)
    again, before = (
        [(row["task"], row["base"], row["final"], row["verdict"]) for row in judged["tasks"]]
        for judged in (json.loads((r / "verdicts.json").read_text()) for r in (run, whole_run))
    )
    assert again == before
    stored = run / "predictions" / "stage3_cls.npz"
    probabilities = stored.read_bytes()
    rescore.rescore(rescore.Options(run, rendered["seg"].parent, input_px=96))
    assert {read_header(stage.weights).model.input_px for stage in Run(run).stages} == {96}
    assert Run(run).manifest["evaluated_input_px"] == 96
    assert stored.read_bytes() != probabilities
    trained = Run(run).manifest["config"]
    assert trained == Run(whole_run).manifest["config"]


def test_a_neighbours_checkpoint_is_not_changed_under_it(
    whole_run: Path, rendered: DataRoots, tmp_path: Path
):
    for name in ("lender", "borrower"):
        shutil.copytree(whole_run, tmp_path / name, ignore=shutil.ignore_patterns("state"))
    borrower = tmp_path / "borrower"
    (borrower / "stage1.safetensors").unlink()
    manifest = Run(whole_run).manifest | {"stage_files": {"1": "lender/stage1.safetensors"}}
    (borrower / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"borrower takes its stage 1 from .*lender: expected it"):
        rescore.rescore(rescore.Options(tmp_path / "lender", rendered["seg"].parent, input_px=96))
    rescore.rescore(rescore.Options(borrower, rendered["seg"].parent, input_px=96))

    def sizes(name: str) -> set[int]:
        stages = Run(tmp_path / name).stages
        return {read_header(stage.weights).model.input_px for stage in stages}

    assert sizes("borrower") == {96} and sizes("lender") == {128}
    rescore.rescore(rescore.Options(tmp_path / "lender", rendered["seg"].parent, input_px=96))
    assert sizes("lender") == {96}
