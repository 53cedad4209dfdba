"""Scores that grow while a network is trained, stage after stage; one run laid over another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import GREY, dressed, with_alpha
from app.language import Words
from app.palette import task_color

_HEIGHT_PX = 380


def teaching_curves(
    now: pd.DataFrame,
    before: pd.DataFrame | None,
    order: Sequence[str],
    methods: tuple[str, str],
    words: Words,
) -> go.Figure:
    """Every task's score over the stages.

    Args:
        now: as ``teaching_points.points`` makes; the run that is trained.
        before: the run before it, drawn thin and dotted, or None.
        order: the tasks in the order of the stages of the run that is trained.
        methods: what the two runs did against forgetting, in words.
        words: the visitor's language.
    """
    figure = go.Figure()
    if before is not None:
        for task in before.task.unique():
            line = dict(color=with_alpha(task_color(task), 0.75), width=2, dash="dot")
            label = f"{words.task(task)}, {methods[1]}"
            figure.add_trace(_curve(before[before.task == task], label, line, 5))
    for task in order:
        line = dict(color=task_color(task), width=3)
        label = f"{words.task(task)}, {methods[0]}"
        figure.add_trace(_curve(now[now.task == task], label, line, 7))
    for number, task in enumerate(order, start=1):
        if number > 1:
            figure.add_vline(x=number - 1, line=dict(color=GREY, width=1, dash="dot"))
        figure.add_annotation(
            x=number - 0.5,
            y=1.06,
            yref="paper",
            yanchor="bottom",
            text=words("teach.stage", number=number, task=words.task(task)),
            showarrow=False,
            font=dict(size=13, color=task_color(task)),
        )
    dressed(figure, height_px=_HEIGHT_PX)
    figure.update_layout(
        margin=dict(t=40, b=84), legend=dict(y=-0.06, yanchor="top"), hovermode="closest"
    )
    # Fixed from the first point on, so that nothing jumps while the lines grow.
    figure.update_xaxes(
        range=[0, len(order) + 0.02], showticklabels=False, showgrid=False, zeroline=False
    )
    figure.update_yaxes(title_text=words("teach.score"), tickformat=".0%", range=[0, 1.03])
    return figure


def _curve(rows: pd.DataFrame, label: str, line: dict[str, Any], marker_px: int) -> go.Scatter:
    return go.Scatter(
        x=rows.x,
        y=rows.value,
        name=label,
        mode="lines+markers",
        line=line,
        marker=dict(
            size=[marker_px + 4 if scope == "stage" else marker_px for scope in rows.scope]
        ),
        cliponaxis=False,
        hovertemplate=f"{label}<br>%{{y:.3f}}<extra></extra>",
    )
