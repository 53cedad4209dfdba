"""Every score stands at its own size's time, in its own metric's panel and precision's line."""

from __future__ import annotations

import pytest

from app.figures.accuracy_time import accuracy_time_figure
from app.language import Words
from app.results.accuracy_rows import accuracy_rows

# precision, input_px, ms, mIoU, mAP: no two numbers alike, sizes out of order
MEASURED = [
    ("float32", 512, 60.0, 0.61, 0.14),
    ("float32", 256, 15.0, 0.58, 0.11),
    ("int8", 256, 13.0, 0.57, 0.10),
    ("int8", 512, 55.0, 0.60, 0.13),
]
CONTENT = {
    "rows": [
        {"precision": precision, "input_px": px, "p50_ms": ms, "p95_ms": 2 * ms}
        | {"scores": {"mIoU": miou, "mAP": average}}
        for precision, px, ms, miou, average in MEASURED
    ]
}


def test_a_row_is_one_metric_of_one_size_and_precision():
    assert list(accuracy_rows(CONTENT).itertuples(index=False, name=None)) == [
        row
        for precision, px, ms, miou, average in MEASURED
        for row in ((precision, px, ms, "mIoU", miou), (precision, px, ms, "mAP", average))
    ]


def test_lines_go_from_small_to_large_and_are_not_mixed_up():
    figure = accuracy_time_figure(accuracy_rows(CONTENT), Words("en"))
    panels = {"y": "mIoU", "y2": "mAP"}
    titles = [figure.layout.yaxis.title.text, figure.layout.yaxis2.title.text]
    assert titles == [f"{metric}, %" for metric in panels.values()]
    drawn = {(panels[trace.yaxis], trace.name): trace for trace in figure.data}
    assert len(drawn) == len(figure.data) == 4
    for (metric, precision), trace in drawn.items():
        own = sorted(row for row in MEASURED if row[0] == precision)
        scores = [row[3 if metric == "mIoU" else 4] for row in own]
        assert list(trace.x) == [row[2] for row in own]
        assert list(trace.y) == pytest.approx([100 * score for score in scores])
        assert list(trace.text) == ["256", "512"] and metric in trace.hovertemplate
    lines = {
        name: {t.line.dash for t in figure.data if t.name == name} for name in ("float32", "int8")
    }
    assert lines == {"float32": {"solid"}, "int8": {"dot"}}
    assert [t.name for t in figure.data if t.showlegend] == ["float32", "int8"]
