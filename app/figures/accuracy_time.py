"""Scores against the time of a pass: a panel per metric, a line per precision, a mark per size."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.figures.theme import dressed
from app.language import Words
from app.palette import NEUTRAL

_PANEL_PX = 190
_LINES = (dict(color=NEUTRAL, dash="solid"), dict(color="#E69F00", dash="dot"))


def accuracy_time_figure(rows: pd.DataFrame, words: Words) -> go.Figure:
    """Panels stand over each other, so that a phone has room for their marks.

    Args:
        rows: as ``accuracy_rows`` makes: precision, input_px, ms, metric, value.
        words: the visitor's language.
    """
    metrics = list(dict.fromkeys(rows["metric"]))
    figure = make_subplots(
        rows=len(metrics), cols=1, shared_xaxes=True, vertical_spacing=0.06, y_title=None
    )
    for place, metric in enumerate(metrics, start=1):
        own = rows[rows["metric"] == metric]
        for line, (precision, part) in zip(_LINES, own.groupby("precision"), strict=False):
            part = part.sort_values("input_px")
            figure.add_trace(
                go.Scatter(
                    x=part["ms"],
                    y=100 * part["value"],
                    mode="lines+markers+text",
                    name=str(precision),
                    legendgroup=str(precision),
                    showlegend=place == 1,
                    text=part["input_px"].astype(str),
                    textposition="top center",
                    textfont=dict(size=11),
                    line=line,
                    marker=dict(size=9),
                    cliponaxis=False,
                    hovertemplate=f"{metric} %{{y:.1f}} %, %{{x:.1f}} ms, %{{text}} px"
                    "<extra>%{fullData.name}</extra>",
                ),
                row=place,
                col=1,
            )
        figure.update_yaxes(title_text=f"{metric}, %", row=place, col=1)
    dressed(figure, height_px=90 + _PANEL_PX * max(1, len(metrics)))
    figure.update_xaxes(title_text=words("latency.pass_ms"), row=len(metrics), col=1)
    return figure
