"""Each task's score over the lessons, with the band inside which a loss is tolerated."""

from __future__ import annotations

from typing import Literal

import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import GREY, dressed, with_alpha
from app.language import Words
from app.palette import TASK_COLORS
from app.records import GATE, PRIMARY

_MARKERS = {"seg": "circle", "det": "square", "cls": "diamond"}


def forgetting_curves(
    points: pd.DataFrame,
    order: list[str],
    words: Words,
    show: Literal["kept", "value"] = "kept",
) -> go.Figure:
    """Curves of every task: whole-split scores as markers, looks along the way as thin lines.

    Args:
        points: as ``records.curves`` makes.
        order: the tasks in the order of their lessons.
        words: the visitor's language.
        show: ``kept`` draws shares of the score after the own lesson, with one common band;
            ``value`` the scores themselves, with a band per task from its lesson on.
    """
    figure = go.Figure()
    stages = len(order)
    if show == "kept":
        _band(figure, 0, stages, 1 - GATE, 1.0, GREY, words)
    for number, task in enumerate(order, start=1):
        own = points[points.task == task].dropna(subset=[show])
        whole, probe = (own[own.scope == scope] for scope in ("stage", "probe"))
        if show == "value":
            base = whole[whole.stage == number].value
            if len(base) and number < stages:
                top = float(base.iloc[-1])
                _band(figure, number, stages, top * (1 - GATE), top, TASK_COLORS[task], words)
        if len(probe):
            figure.add_trace(_probe(probe, task, words, show))
        if len(whole):
            # Before its own lesson a task has no score worth the name.
            figure.add_trace(_whole(whole[whole.stage >= number], task, words, show))
    for number in range(1, stages):
        figure.add_vline(x=number, line=dict(color=GREY, width=1, dash="dot"), opacity=0.5)
    dressed(figure, height_px=420)
    figure.update_layout(hovermode="closest", margin=dict(t=64))
    figure.update_xaxes(
        range=[0, stages + 0.06],
        tickvals=[number - 0.5 for number in range(1, stages + 1)],
        ticktext=[
            f"{words('viewer.lesson', number=n)}<br>{words.task(task)}"
            for n, task in enumerate(order, start=1)
        ],
        ticks="",
        showgrid=False,
    )
    title = words("forgetting.y_kept" if show == "kept" else "forgetting.y_score")
    figure.update_yaxes(title_text=title, tickformat=".0%", rangemode="tozero")
    return figure


def _whole(rows: pd.DataFrame, task: str, words: Words, show: str) -> go.Scatter:
    label = f"{words.task(task)} ({PRIMARY[task]})"
    return go.Scatter(
        x=rows.x,
        y=rows[show],
        name=label,
        mode="lines+markers+text",
        line=dict(color=TASK_COLORS[task], width=3),
        marker=dict(size=11, symbol=_MARKERS[task], color=TASK_COLORS[task]),
        text=[f"{value:.1%}" for value in rows[show]],
        textposition="top center",
        cliponaxis=False,
        customdata=rows[["stage", "value", "kept"]],
        hovertemplate=f"{label}<br>%{{customdata[1]:.3f}} (%{{customdata[2]:.1%}})<extra></extra>",
    )


def _probe(rows: pd.DataFrame, task: str, words: Words, show: str) -> go.Scatter:
    label = f"{words.task(task)}, {words('forgetting.probe')}"
    return go.Scatter(
        x=rows.x,
        y=rows[show],
        name=label,
        mode="lines",
        line=dict(color=with_alpha(TASK_COLORS[task], 0.55), width=1.5, dash="dot"),
        showlegend=False,
        customdata=rows[["value"]],
        hovertemplate=f"{label}<br>%{{customdata[0]:.3f}}<extra></extra>",
    )


def _band(
    figure: go.Figure, x0: float, x1: float, low: float, high: float, color: str, words: Words
) -> None:
    figure.add_trace(
        go.Scatter(
            x=[x0, x1, x1, x0],
            y=[low, low, high, high],
            fill="toself",
            mode="none",
            fillcolor=with_alpha(color, 0.18),
            name=words("forgetting.band"),
            legendgroup="band",
            showlegend=not any(trace.legendgroup == "band" for trace in figure.data),
            hoverinfo="skip",
        )
    )
