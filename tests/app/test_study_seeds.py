"""The other seeds of a study beside its runs."""

import os

import pytest
from stand_in import StandInEngine, make_run, make_study

from app.figures.methods_compared import methods_compared
from app.figures.score_matrix import score_matrix
from app.language import Words
from app.results.methods_table import methods_table, told_of
from app.results.run_tables import drops, stage_matrix, stage_order
from app.results.study_seeds import seed_spread, seeds_of
from app.services.engines import EngineShelf
from app.services.runs import RunShelf
from app.services.study import study_beside
from app.site import Site
from app.tabs.forgetting import forgetting_figures
from mtl_core.runs.sealed_json import write_sealed

WORDS = Words("en")


@pytest.fixture
def runs(tmp_path):
    """Two runs, and the study that the one that forgets is one of."""
    found = [make_run(tmp_path, "keeps"), make_run(tmp_path, "forgets", "finetune")]
    make_study(tmp_path)
    return found


def test_seeds_of_the_same_recipe_stand_beside_their_run_alone(runs):
    table = methods_table(
        told_of({r.name: r for r in runs}, {r.name: study_beside(r) for r in runs})
    )
    assert table.run.tolist() == ["keeps", "forgets", "forgets", "forgets"]
    assert table.own.tolist() == [True, True, False, False]
    assert table.kept.tolist() == pytest.approx([0.96, 0.2, 0.4, 0.1])
    assert table.reached.max() == pytest.approx(1)
    figure = methods_compared(table, WORDS)
    seeds = next(t for t in figure.data if "other seeds" in t.name)
    assert [seed for (seed,) in seeds.customdata if seed is not None] == [1, 2]


def test_the_matrix_tells_the_lowest_and_the_highest_of_all_seeds(runs):
    run = runs[1]
    told = drops(run.records(), stage_order(run.manifest))
    spread = seed_spread(seeds_of(run, told, study_beside(run)), told)
    assert spread[3, "seg"] == (0.05, 0.2, 3) and spread[1, "seg"] == (0.5, 0.5, 3)
    order, metrics = stage_order(run.manifest), {"seg": "mIoU"}
    figure = score_matrix(stage_matrix(run.records()), order, WORDS, metrics, spread)
    assert any("3 seeds:<br>.050–.200" in a.text for a in figure.layout.annotations)


@pytest.mark.parametrize(("name", "said"), [("keeps", True), ("forgets", False)])
def test_another_seed_is_not_spoken_of_as_unknown_above_the_scores_of_three(runs, name, said):
    for run in runs:
        row = {"task": "seg", "floor_metric": "mIoU", "floor": 0.1, "reached": 0.3, "base": 0.5}
        row |= {"metric": "mIoU", "verdict": "undecided", "drop": {"low": 0.01, "high": 0.9}}
        write_sealed(run.path / "verdicts.json", {"tasks": [row]})
    site = Site(RunShelf(runs), EngineShelf(StandInEngine))
    cards = forgetting_figures(site, name, "kept", None, WORDS)[0]
    assert "bootstrap" in cards and ("One training" in cards) is said


def test_a_damaged_table_leaves_the_run_alone(runs, tmp_path, capsys):
    (tmp_path / "results.csv").write_bytes(b"\xff\xfe\x00,\n")
    assert study_beside(runs[1]).empty and "not shown" in capsys.readouterr().out
    (tmp_path / "results.csv").write_text("method,seed\nfinetune,0\n")
    assert study_beside(runs[1]).empty


def test_the_table_is_read_once_until_it_is_written_anew(runs, tmp_path):
    first = study_beside(runs[1])
    assert len(first) == 12 and study_beside(runs[0]) is first
    table = tmp_path / "results.csv"
    first.iloc[:6].to_csv(table, index=False)
    os.utime(table, ns=(0, table.stat().st_mtime_ns + 1_000_000))  # on however coarse a clock
    assert len(study_beside(runs[1])) == 6
