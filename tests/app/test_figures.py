import json

import numpy as np
import pandas as pd
import pytest
from stand_in import NAMES, ORDER, record_rows

from app.figures.class_losses import class_losses
from app.figures.forgetting_curves import forgetting_curves
from app.figures.latency_parts import BUDGET_MS, latency_violins, parameter_bars
from app.figures.methods_compared import methods_compared
from app.figures.score_matrix import score_matrix
from app.language import Words
from app.results.run_tables import class_drops, curves, stage_matrix

ENGLISH = Words("en")
METRICS = {"seg": "mIoU", "det": "mAP", "cls": "top1"}


@pytest.fixture(params=["en", "zh-TW"])
def words(request):
    return Words(request.param)


def frame(**kwargs):
    return pd.DataFrame(record_rows(**kwargs))


def traces(figure, task):
    return [t for t in figure.data if t.name and t.name.startswith(ENGLISH.task(task))]


def test_curves_of_what_was_kept_start_at_their_own_stage():
    figure = forgetting_curves(curves(frame(forgets=True), ORDER), ORDER, ENGLISH, METRICS)
    (seg,) = traces(figure, "seg")
    assert list(seg.x) == [1, 2, 3]
    assert list(seg.y) == pytest.approx([1, 0.6, 0.2])
    (det,) = traces(figure, "det")
    assert list(det.x) == [2, 3]
    low, high = figure.layout.yaxis.range
    assert low < 0.2 < 1 < high  # everything drawn is inside the axis


def test_the_band_is_five_percent_wide():
    figure = forgetting_curves(curves(frame(), ORDER), ORDER, ENGLISH, METRICS)
    (band,) = [t for t in figure.data if t.legendgroup == "band"]
    assert min(band.y) == pytest.approx(0.95)
    assert max(band.y) == 1


def test_scores_have_a_band_per_task_that_something_followed():
    figure = forgetting_curves(curves(frame(), ORDER), ORDER, ENGLISH, METRICS, "value")
    bands = [t for t in figure.data if t.legendgroup == "band"]
    assert [max(b.y) for b in bands] == pytest.approx([0.5, 0.2])
    assert sum(bool(b.showlegend) for b in bands) == 1
    assert len(traces(figure, "seg")) == 2  # the looks along the way, and the whole split


def test_labels_at_the_ends_do_not_meet():
    rows = frame()
    rows.loc[(rows.task == "seg") & (rows.scope == "stage"), "value"] = 0.5
    figure = forgetting_curves(curves(rows, ORDER), ORDER, ENGLISH, METRICS)
    ends = [a for a in figure.layout.annotations if a.text]
    low, high = figure.layout.yaxis.range
    heights = sorted(a.y / (high - low) * 270 + a.yshift for a in ends)
    assert len(ends) == 3
    assert np.diff(heights).min() >= 16


def test_the_matrix_leaves_cells_before_a_stage_empty(words):
    figure = score_matrix(stage_matrix(frame(forgets=True)), ORDER, words, METRICS)
    (heat,) = figure.data
    assert list(heat.z[0][1:]) == [None, None]
    assert heat.z[2][0] == pytest.approx(0.2)
    texts = [a.text for a in figure.layout.annotations]
    assert len(texts) == 9
    assert "<b>0.100</b><br>-80.0%" in texts
    assert texts.count(words("forgetting.not_yet")) == 3


def test_class_losses_put_the_largest_on_top(words):
    table = class_drops(frame(forgets=True), ORDER, "seg")
    figure = class_losses(table, words)
    assert figure.data[2].y[-1] == words.class_name(table.name[0])


def test_methods(words):
    table = pd.DataFrame(
        [("a", "distill", True, 0.5, 0.97), ("b", "joint", True, 0.6, 1.0)],
        columns=["run", "method", "own", "reached", "kept"],
    )
    figure = methods_compared(table, words)
    # Every mark is named, and has a colour of its own.
    named = {words(f"method.{method}") for method in ("distill", "joint")}
    assert {t.name for t in figure.data} == named and figure.layout.showlegend
    assert len({t.marker.color for t in figure.data}) == 2
    low, high = figure.layout.xaxis.range  # no room is kept for anything but the marks
    assert 0.49 < low < 0.5 and 0.6 < high < 0.61 and not figure.layout.xaxis.tickvals
    assert figure.data[0].marker.symbol.endswith("-dot")  # all at once is marked
    # Marks that lie close do not make ticks of one and the same percent.
    low, high = methods_compared(table.assign(reached=[0.98, 0.985]), words).layout.xaxis.range
    assert high - low == pytest.approx(0.1)


def test_the_budget_stays_in_sight_whatever_was_measured(words):
    for slow in (20.0, 900.0):
        times = pd.DataFrame({"network": [slow, slow + 1], "total": [slow + 5, slow + 6]})
        figure = latency_violins(times, words)
        assert figure.layout.xaxis.range[1] > max(BUDGET_MS, slow)
        assert len(figure.data) == 2
        assert figure.data[-1].name == words("part.total")


def test_parameters_add_up(words):
    counts = pd.Series({"backbone": 3.5e6, "head": 2e5})
    figure = parameter_bars(counts, words)
    assert sum(t.x[0] for t in figure.data) == pytest.approx(3.7)


def test_every_figure_is_plain_json(words):
    points = curves(frame(), ORDER)
    for figure in (
        forgetting_curves(points, ORDER, words, METRICS),
        forgetting_curves(points, ORDER, words, METRICS, "value"),
        forgetting_curves(points.iloc[:0], ORDER, words, METRICS),
        score_matrix(stage_matrix(frame()), ORDER, words, METRICS),
        class_losses(class_drops(frame(), ORDER, "det"), words),
    ):
        assert json.loads(figure.to_json())["layout"]["paper_bgcolor"] == "rgba(0,0,0,0)"


def test_names_in_the_records_may_be_unknown_to_the_page(words):
    table = pd.DataFrame([("zebra", 0.5, 0.4, 0.1)], columns=["name", "base", "final", "drop_abs"])
    assert class_losses(table, words).data[1].y == ("zebra",)
    assert NAMES["seg"]
