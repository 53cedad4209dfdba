"""The figure of a training, and the table behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.components.teaching_panel import status_html
from app.figures.teaching_curves import teaching_curves
from app.language import Words
from app.results.teaching_points import first_kept, points
from app.services.teaching import Choice, Training

STEPS = [10, 20]


def said(*rows: tuple[int, int, str, float, str]) -> list[dict]:
    keys = ("stage", "step", "task", "value", "scope")
    return [dict(zip(keys, row, strict=True)) for row in rows]


SCORES = said(
    (1, 5, "seg", 0.2, "subset"),
    (1, 10, "seg", 0.4, "stage"),
    (2, 10, "seg", 0.2, "subset"),
    (2, 10, "det", 0.1, "subset"),
    (2, 20, "seg", 0.1, "stage"),
    (2, 20, "det", 0.3, "stage"),
)


def test_scores_lie_where_their_stage_is():
    table = points(SCORES, STEPS)
    assert table[table.task == "seg"].x.tolist() == [0.5, 1.0, 1.5, 2.0]
    assert table[table.task == "det"].x.tolist() == [1.5, 2.0]
    assert points([], []).empty


@pytest.mark.parametrize(
    ("count", "kept"),
    [(0, None), (1, None), (2, ("seg", 0.4, 0.4)), (3, ("seg", 0.4, 0.2)), (6, ("seg", 0.4, 0.1))],
)
def test_the_first_task_is_compared_with_what_it_was_after_its_stage(count, kept):
    assert first_kept(SCORES[:count]) == kept


@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_two_runs_lie_over_each_other_and_the_borders_are_marked(language):
    words = Words(language)
    now, before = points(SCORES, STEPS), points(SCORES[:2], STEPS)
    figure = teaching_curves(now, before, ["seg", "det"], ("kept", "nothing"), words)
    dashes = [trace.line.dash for trace in figure.data]
    assert dashes == ["dot", None, None]
    assert [list(trace.y) for trace in figure.data] == [
        [0.2, 0.4],
        [0.2, 0.4, 0.2, 0.1],
        [0.1, 0.3],
    ]
    assert figure.data[0].name == f"{words.task('seg')}, nothing"
    assert [shape.x0 for shape in figure.layout.shapes] == [1]
    named = [note.text for note in figure.layout.annotations]
    assert named == [
        words("teach.stage", number=n, task=words.task(t)) for n, t in ((1, "seg"), (2, "det"))
    ]


def test_a_run_without_scores_has_its_axes_already():
    figure = teaching_curves(points([], []), None, ["seg", "det"], ("kept", ""), Words())
    assert tuple(figure.layout.xaxis.range) == (0, 2.02)
    assert len(figure.layout.annotations) == 2


def test_the_rest_is_timed_at_the_pace_so_far(tmp_path: Path):
    training = Training("visitor", Choice("finetune", 1, ("seg", "det", "cls")), tmp_path)
    training.hear({"kind": "begun", "steps": [100, 100, 100]})
    training.begun_s -= 6000
    training.hear({"kind": "scene", "stage": 1, "step": 10, "ended": False})
    assert training.left_s is None
    training.hear({"kind": "scene", "stage": 2, "step": 50, "ended": False})
    assert training.left_s == pytest.approx(6000, rel=0.05)
    assert "About 100 min left." in status_html(training, 0, Words("en"))
