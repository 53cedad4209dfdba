"""A study's figures: pure functions from its results to Plotly."""

from __future__ import annotations

import math
from itertools import cycle

import pandas as pd
import plotly.graph_objects as go

from mtl_core.metrics.accuracy_matrix import ALLOWED_DROP
from mtl_core.metrics.bootstrap import Interval
from mtl_core.runs.run_directory import RunRecords
from mtl_core.tasks import primary_metrics
from training.study.judged import JudgedStudy
from training.study.runs import Cell, main_cells

INKS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#9955FF", "#555555")
LEAST_SPAN = 10.0  # percent, of the drops' axis


def plane(table: pd.DataFrame) -> go.Figure:
    """Retention of the old against what the new reached; a line through a method's strengths."""
    figure = go.Figure()
    figure.add_hline(y=100 * (1 - ALLOWED_DROP), line=dict(color="#999", dash="dash", width=1))
    for ink, (family, own) in zip(cycle(INKS), table.groupby("family", sort=False)):
        own = own.sort_values("strength")
        if own["old"].isna().all():  # all at once: what it reached, and nothing that it could keep
            for new, name in zip(own["new"], own["method"], strict=True):
                figure.add_vline(
                    x=100 * new,
                    line=dict(color=ink, dash="dot"),
                    annotation_text=name,
                    annotation_position="bottom right",
                )
            continue
        figure.add_scatter(
            x=100 * own["new"],
            y=100 * own["old"],
            mode="lines+markers+text",
            name=str(family),
            text=own["method"],
            textposition="top center",
            line=dict(color=ink, width=1),
            marker=dict(size=16, color=ink),
            hovertemplate="%{text}<br>new %{x:.1f} %, old kept %{y:.1f} %<extra></extra>",
        )
    figure.update_layout(template="simple_white", height=520, showlegend=False)
    figure.update_xaxes(title="what the new tasks reached, % of the same task trained alone")
    figure.update_yaxes(title="what the old tasks kept, % of their base")
    return figure


def axis_range(found: list[Interval]) -> tuple[float, float]:
    """Ends of an axis in percent that shows every value; intervals far beyond them are cut.

    A gain is shown down to -100 % at most.
    """
    values = [100 * one.value for one in found if math.isfinite(one.value)]
    values = [*values, 0.0, 100 * ALLOWED_DROP]
    room = max(LEAST_SPAN, 0.25 * (max(values) - min(values)))
    return max(min(values) - room, -100.0), max(values) + room


def drops_figure(judged: JudgedStudy) -> go.Figure:
    """The drop of every earlier task with its interval over all seeds of a method.

    An end outside the axis is marked by an arrow, which names it.
    """
    figure = go.Figure()
    low, high = axis_range([drop for drops in judged.drops.values() for drop in drops.values()])
    for ink, task in zip(cycle(INKS), judged.tasks):
        rows = [(m, d[task]) for m, d in judged.drops.items() if task in d]
        rows = [(method, drop) for method, drop in rows if math.isfinite(drop.value)]
        if not rows:
            continue
        methods = [method for method, _ in rows]
        name = f"{task} ({primary_metrics()[task]})"
        shown = [min(max(100 * drop.value, low), high) for _, drop in rows]
        ends = [
            tuple(min(max(100 * end, low), high) for end in (drop.low, drop.high))
            if math.isfinite(drop.low)
            else (value, value)
            for value, (_, drop) in zip(shown, rows, strict=True)
        ]
        figure.add_scatter(
            x=methods,
            y=shown,
            error_y=dict(
                array=[end[1] - value for end, value in zip(ends, shown, strict=True)],
                arrayminus=[value - end[0] for end, value in zip(ends, shown, strict=True)],
            ),
            mode="markers",
            name=name,
            offsetgroup=task,
            customdata=[[100 * v for v in (d.value, d.low, d.high)] for _, d in rows],
            hovertemplate="%{x}: %{customdata[0]:+.1f} % (%{customdata[1]:+.1f} to "
            "%{customdata[2]:+.1f})<extra></extra>",
            marker=dict(size=11, color=ink),
        )
        cut = [(m, high, "up", 100 * d.high) for m, d in rows if 100 * d.high > high]
        cut += [(m, low, "down", 100 * d.low) for m, d in rows if 100 * d.low < low]
        if cut:
            figure.add_scatter(
                x=[method for method, *_ in cut],
                y=[place for _, place, *_ in cut],
                mode="markers+text",
                text=[f"to {end:+.0f} %" for *_, end in cut],
                textposition="middle right",
                cliponaxis=False,
                textfont=dict(size=11, color=ink),
                offsetgroup=task,
                showlegend=False,
                hoverinfo="skip",
                marker=dict(size=12, color=ink, symbol=[f"triangle-{d}" for *_, d, _ in cut]),
            )
    figure.add_hline(y=100 * ALLOWED_DROP, line=dict(color="#999", dash="dash", width=1))
    figure.update_layout(template="simple_white", height=420, scattermode="group")
    figure.update_yaxes(title="drop, % of the base (95 % interval)", range=[low, high])
    return figure


def dips_figure(runs: list[tuple[Cell, RunRecords]], task: str) -> go.Figure:
    """The first task on the subset images, inside the later stages; one seed of every method."""
    figure = go.Figure()
    for ink, (cell, run) in zip(cycle(INKS), main_cells(runs)):
        records = run.records()
        subsets = records[
            (records["scope"] == "subset") & (records["metric"] == primary_metrics()[task])
        ]
        for stage, rows in subsets[subsets["stage"] > 1].groupby("stage"):
            rows = rows.sort_values("step")
            length = max(1, int(records[records["stage"] == stage]["step"].max()))
            figure.add_scatter(
                x=stage - 1 + rows["step"] / length,
                y=100 * rows["value"],
                mode="lines+markers",
                name=cell.label,
                legendgroup=cell.label,
                showlegend=bool(stage == subsets[subsets["stage"] > 1]["stage"].min()),
                line=dict(color=ink),
            )
    figure.update_layout(template="simple_white", height=420)
    figure.update_xaxes(title="stage (1 is the end of the first)")
    figure.update_yaxes(title=f"{primary_metrics()[task]} on the subset images, %")
    return figure
