"""Each task's score over the stages, with the band inside which a loss is tolerated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import GREY, dressed, with_alpha
from app.language import Words
from app.palette import task_color, task_marker
from mtl_core.metrics.accuracy_matrix import ALLOWED_DROP

_HEIGHT_PX = 440
# What is left for the lines between the margins, to keep the labels at their ends apart.
_PLOT_PX = 270
_LABEL_PX = 17


View = Literal["kept", "value"]


def forgetting_curves(
    points: pd.DataFrame,
    order: list[str],
    words: Words,
    metrics: Mapping[str, str],
    show: View = "kept",
) -> go.Figure:
    """Curves of every task from its own stage on.

    Args:
        points: as ``records.curves`` makes.
        order: the tasks in the order of their stages.
        words: the visitor's language.
        metrics: the name of each task's metric.
        show: ``kept`` draws shares of the score after the own stage, with one common band;
            ``value`` the scores themselves with a band per task. The looks along the way, on fewer
            images, are dotted lines; their shares are of a look at the same images.
    """
    figure = go.Figure()
    stages = len(order)
    whole = points[(points.scope == "stage") & points[show].notna()]
    subsets = points[(points.scope == "subset") & points[show].notna()]
    own_stage = whole.task.map({task: n for n, task in enumerate(order, start=1)})
    whole = whole[whole.stage >= own_stage]
    if show == "kept":
        low = min([0.85, *whole.kept, *subsets.kept]) - 0.05
        high = max([1.0, *whole.kept, *subsets.kept]) + 0.05
        _band(figure, 1, stages, 1 - ALLOWED_DROP, 1.0, GREY, words)
    else:
        low, high = 0.0, max([0.1, *points.value]) * 1.1
    for number, task in enumerate(order, start=1):
        rows = whole[whole.task == task]
        if show == "value":
            base = rows[rows.stage == number].value
            if len(base) and number < stages:
                top = float(base.iloc[-1])
                low_end = top * (1 - ALLOWED_DROP)
                _band(figure, number, stages, low_end, top, task_color(task), words)
        subset = subsets[subsets.task == task]
        if len(subset):
            figure.add_trace(_subset(subset, task, words, show))
        if len(rows):
            figure.add_trace(_whole(rows, task, words, show, metrics))
    if len(subsets):
        line = dict(color=GREY, width=1.5, dash="dot")
        name = words("forgetting.subset")
        figure.add_scatter(x=[None], y=[None], name=name, mode="lines", line=line)
    for number in range(1, stages + 1):
        figure.add_vline(x=number, line=dict(color=GREY, width=1, dash="dot"), opacity=0.4)
    _label_ends(figure, whole, show, high - max(low, 0.0))
    dressed(figure, height_px=_HEIGHT_PX)
    figure.update_layout(hovermode="closest", margin=dict(t=78, r=64))
    first = 1 if show == "kept" else 0
    figure.update_xaxes(
        range=[first - 0.04, stages + 0.04],
        tickvals=list(range(1, stages + 1)),
        ticktext=[
            words("forgetting.after_task", number=n, task=f"<br>{words.task(task)}")
            for n, task in enumerate(order, start=1)
        ],
        ticks="",
        ticklabelstandoff=12,  # the lowest share stands beside the first stage
        showgrid=False,
        zeroline=False,
    )
    title = words("forgetting.y_kept" if show == "kept" else "forgetting.y_score")
    figure.update_yaxes(
        title_text=title, tickformat=".0%", range=[max(low, 0.0), high], zeroline=False
    )
    return figure


def _whole(
    rows: pd.DataFrame, task: str, words: Words, show: str, metrics: Mapping[str, str]
) -> go.Scatter:
    label = f"{words.task(task)} ({metrics.get(task, '')})"
    return go.Scatter(
        x=rows.x,
        y=rows[show],
        name=label,
        mode="lines+markers",
        line=dict(color=task_color(task), width=3),
        marker=dict(size=11, symbol=task_marker(task), color=task_color(task)),
        cliponaxis=False,
        customdata=rows[["stage", "value", "kept"]],
        hovertemplate=f"{label}<br>%{{customdata[1]:.3f}} (%{{customdata[2]:.1%}})<extra></extra>",
    )


def _subset(rows: pd.DataFrame, task: str, words: Words, show: str) -> go.Scatter:
    label = f"{words.task(task)}, {words('forgetting.subset')}"
    return go.Scatter(
        x=rows.x,
        y=rows[show],
        name=label,
        mode="lines",
        line=dict(color=with_alpha(task_color(task), 0.6), width=1.5, dash="dot"),
        showlegend=False,
        hovertemplate=f"{label}<br>%{{y{'' if show == 'kept' else ':.3f'}}}<extra></extra>",
    )


def _label_ends(figure: go.Figure, whole: pd.DataFrame, show: str, span: float) -> None:
    """Write each task's final value beside its line's end, pushed apart where they would meet."""
    ends = whole.sort_values("x").groupby("task").last().sort_values(show, ascending=False)
    floor = float("inf")
    for task, row in ends.iterrows():
        wanted = row[show] / span * _PLOT_PX
        placed = min(wanted, floor - _LABEL_PX)
        floor = placed
        figure.add_annotation(
            x=row.x,
            y=row[show],
            text=f"<b>{row[show]:.1%}</b>" if show == "kept" else f"<b>{row[show]:.3f}</b>",
            showarrow=False,
            xanchor="left",
            xshift=12,
            yshift=placed - wanted,
            font=dict(color=task_color(str(task)), size=13),
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
