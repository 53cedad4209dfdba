import json
import math

import numpy as np
import pandas as pd
import pytest
from stand_in import ORDER, drop, make_run, record_rows

from app.results.methods_table import methods_table, task_losses, told_of
from app.results.run_tables import (
    class_drops,
    curves,
    drops,
    scores_table,
    side_by_side,
    stage_matrix,
    stage_scores,
    together,
)
from mtl_core.runs.records import read_records


def frame(**kwargs):
    return pd.DataFrame(record_rows(**kwargs))


def test_the_matrix_holds_whole_split_scores_only():
    matrix = stage_matrix(frame())
    assert list(matrix.columns) == ORDER
    assert matrix.loc[1, "seg"] == 0.50
    assert matrix.loc[3].tolist() == [0.48, 0.20, 0.95]
    assert np.isnan(matrix.loc[1, "det"])


def test_drop_and_retention_follow_their_definition():
    seg, det, cls = drops(frame(forgets=True), ORDER)
    assert seg.drop == pytest.approx((0.5 - 0.1) / 0.5)
    assert seg.retention == pytest.approx(0.2)
    assert not seg.within_gate
    assert det.metric == "mAP"
    assert det.base - det.final == pytest.approx(0.08)
    assert cls.base_stage == cls.final_stage == 3
    kept, _, _ = drops(frame(), ORDER)
    assert kept.within_gate
    assert kept.drop == pytest.approx(0.04)


@pytest.mark.parametrize(("final", "within"), [(0.96, True), (0.94, False), (1.1, True)])
def test_the_gate_is_five_percent_of_the_base(final, within):
    assert drop("seg", "mIoU", 1, 1.0, 2, final, 60).within_gate is within


def test_a_task_without_a_score_after_its_own_stage_has_no_base():
    rows = frame()
    rows = rows[~((rows.stage == 1) & (rows.scope == "stage"))]
    assert [drop.task for drop in drops(rows, ORDER)] == ["det", "cls"]


def test_curves_run_from_zero_to_the_number_of_stages():
    points = curves(frame(), ORDER)
    seg = points[(points.task == "seg") & (points.scope == "subset")]
    assert seg.x.tolist() == [0.25, 0.5, 1.0, 1.5, 2.5]
    assert seg.kept.isna().all()  # no look right before the second stage to compare with
    whole = points[(points.task == "seg") & (points.scope == "stage")]
    assert whole.kept.tolist() == pytest.approx([1, 0.98, 0.96])


def test_a_dip_is_a_share_of_a_look_at_the_same_images():
    before = {"stage": 2, "step": 0, "epoch": 0, "task": "seg", "metric": "mIoU"}
    rows = pd.DataFrame([*record_rows(), before | {"value": 0.4, "n": 40, "scope": "subset"}])
    points = curves(rows, ORDER)
    seg = points[(points.task == "seg") & (points.scope == "subset")]
    assert seg.x.tolist() == [0.25, 0.5, 1.0, 1.0, 1.5, 2.5]
    assert seg.kept.isna().tolist() == [True] * 3 + [False] * 3
    assert seg.kept.dropna().tolist() == pytest.approx([1, 0.495 / 0.4, 0.485 / 0.4])


def test_an_empty_or_bare_file_is_an_empty_answer(tmp_path):
    for name, text in (("absent", None), ("bare", '{"stage": 1, "task": "seg"}')):
        path = tmp_path / name
        if text:
            path.write_text(text)
        records = read_records(path)
        assert stage_matrix(records).empty
        assert drops(records, ORDER) == []
        assert curves(records, ORDER).empty
        assert class_drops(records, ORDER, "seg").empty


def test_records_without_scope_count_as_whole_split():
    rows = pd.DataFrame(
        [{"stage": 1, "task": "seg", "metric": "mIoU", "value": 0.4}],
    )
    assert stage_scores(rows).value.tolist() == [0.4]


def test_the_last_record_of_a_stage_counts(tmp_path):
    rows = record_rows()
    again = {**rows[3], "value": 0.6}
    assert again["scope"] == "stage"
    assert stage_matrix(pd.DataFrame([*rows, again])).loc[1, "seg"] == 0.6


def test_a_zero_base_does_not_divide():
    rows = [r | {"value": 0.0} for r in record_rows() if r["task"] == "det"]
    (det,) = drops(pd.DataFrame(rows), ORDER)
    assert math.isnan(det.drop) and math.isnan(det.retention) and not det.within_gate
    assert curves(pd.DataFrame(rows), ORDER).kept.isna().all()


def test_class_drops_are_sorted_by_loss():
    lost = class_drops(frame(forgets=True), ORDER, "seg")
    assert lost.drop_abs.is_monotonic_decreasing
    assert set(lost.name) == {"person", "dog", "cat", "diningtable"}
    assert class_drops(frame(), ORDER, "cls").empty  # nothing was trained after it


def test_methods_are_compared_by_worst_kept_and_share_reached_of_the_best(tmp_path):
    runs = [make_run(tmp_path, "keeps"), make_run(tmp_path, "forgets", "finetune")]
    table = methods_table(told_of({run.name: run for run in runs}))
    assert table.run.tolist() == ["keeps", "forgets"]
    assert table.method.tolist() == ["distill", "finetune"]
    assert table.kept.tolist() == pytest.approx([0.96, 0.2])
    bases = [{d.task: d.base for d in drops(r.records(), ORDER)} for r in runs]
    best = {task: max(b[task] for b in bases) for task in ("det", "cls")}
    wanted = [sum(b[task] / best[task] for task in best) / 2 for b in bases]
    assert table.reached.tolist() == pytest.approx(wanted) and max(wanted) == 1
    json.dumps(table.to_dict("records"))


def test_what_was_lost_of_every_task_stands_with_its_interval_seed_and_images(tmp_path):
    runs = {name: make_run(tmp_path, name, "distill") for name in ("keeps", "judged")}
    verdict = {"tasks": [{"task": "seg", "drop": {"low": 0.01, "high": 0.07}}]}
    (runs["judged"].path / "verdicts.json").write_text(json.dumps(verdict))
    told = drops(runs["judged"].records(), ORDER)
    rows = [
        {"method": "distill", "seed": seed, "strength": 1.0, "without": "", "task": drop.task}
        | {"base": drop.base, "final": drop.final - seed / 10, "retention": 0.5}
        for seed in (0, 1)
        for drop in told
    ]
    table = task_losses(told_of(runs, {"judged": pd.DataFrame(rows)}))
    assert table[table.run == "keeps"].task.tolist() == ORDER
    own = table[(table.run == "judged") & (table.seed == 0)].set_index("task")
    assert own.loc["seg", ["drop_low", "drop_high"]].tolist() == [0.01, 0.07]
    assert own["drop"].tolist() == pytest.approx(
        [told[0].drop, told[1].drop, math.nan], nan_ok=True
    )
    assert own.n.tolist() == [drop.n for drop in told]
    other = table[table.seed == 1].set_index("task")
    assert other.loc["seg", "final"] == pytest.approx(told[0].final - 0.1)
    assert other["drop"].tolist() == pytest.approx([0.5, 0.5, math.nan], nan_ok=True)
    assert other.drop_low.isna().all()


def test_only_runs_of_the_same_images_are_laid_side_by_side(tmp_path):
    names = ("ours", "one", "two", "three")
    runs = {name: make_run(tmp_path, name, "finetune") for name in names}
    for name in names[1:]:
        runs[name].manifest["data_fingerprint"] = {"seg": {"train": {"n": 1}, "eval": {"n": 1}}}
    runs["three"].manifest["evaluated_input_px"] = 384
    assert list(side_by_side(runs, runs["one"])) == ["one", "two"]
    # Who is alone sees the largest group that there is.
    assert list(side_by_side(runs, runs["ours"])) == ["one", "two"]
    assert list(side_by_side(runs, runs["three"])) == ["one", "two"]
    assert list(side_by_side({"ours": runs["ours"]}, runs["ours"])) == ["ours"]


def test_tasks_trained_together_keep_all(tmp_path):
    run = make_run(tmp_path, "joint", "joint")
    rows = [row for row in run.records().to_dict("records") if row["stage"] == 3]
    told = drops(pd.DataFrame(rows), ORDER)
    assert together(told) and [drop.retention for drop in told] == [1, 1, 1]
    assert not together(drops(run.records(), ORDER))


def test_a_run_with_half_a_line_of_records_does_not_take_the_others_away(tmp_path):
    runs = {name: make_run(tmp_path, name) for name in ("keeps", "forgets", "cut")}
    path = runs["cut"].path / "records.jsonl"
    path.write_text('{"stage": 1, "ta\n' + path.read_text())  # a torn last line is passed over
    assert list(side_by_side(runs, runs["keeps"])) == ["keeps", "forgets"]


def test_a_task_that_nobody_registered_is_measured_by_its_first_metric():
    rows = [
        {"stage": stage, "task": "depth", "metric": metric, "value": value, "scope": "stage"}
        for stage, score in ((1, 0.8), (2, 0.2))
        for metric, value in (("delta1", score), ("rmse", 3.0))
    ]
    (depth,) = drops(pd.DataFrame(rows), ["depth", "seg"])
    assert (depth.metric, depth.drop) == ("delta1", pytest.approx(0.75))


def test_every_score_comes_with_its_interval_and_the_seeds_range():
    ends = {"value": 0.5, "low": 0.4, "high": 0.6}
    stages = [{"stage": n, "score": ends, "drop": ends if n > 1 else None} for n in (1, 2, 3)]
    frame = pd.DataFrame(record_rows())
    judged = {"seg": {"drop": ends, "stages": stages}, "det": {"drop": ends}}  # det: of version 0.1
    table = scores_table(frame, ORDER, judged, {(1, "seg"): (0.3, 0.7, 3)})
    table = table.set_index(["task", "stage"])
    assert (table.loc["seg"][["low", "high"]] == (0.4, 0.6)).all(axis=None)
    assert table.loc["seg"].drop_low.tolist() == pytest.approx([math.nan, 0.4, 0.4], nan_ok=True)
    assert table.loc["seg"]["drop"].notna().tolist() == [False, True, True]
    assert table.loc["det"].drop_high.tolist() == pytest.approx([math.nan, 0.6], nan_ok=True)
    assert table.loc["seg", 1][["seeds_low", "seeds_high", "seeds"]].tolist() == [0.3, 0.7, 3]
