"""Ratios of times that were measured in turns: one pass beside what else one could run."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import GREY, dressed
from app.language import Words
from app.palette import TASK_COLORS


def reference_ratios_figure(ratios: pd.DataFrame, words: Words) -> go.Figure:
    """A row per ratio: its value with its interval, beside the line of equal cost.

    Args:
        ratios: as ``reference_times.reference_ratios`` makes: name, value, low, high.
        words: the visitor's language.
    """
    figure = go.Figure(
        go.Scatter(
            x=ratios["value"],
            y=ratios["name"],
            mode="markers+text",
            text=[f"{value:.2f}" for value in ratios["value"]],
            textposition="top center",
            marker=dict(size=10, color=TASK_COLORS["det"]),
            error_x=dict(
                type="data",
                symmetric=False,
                array=ratios["high"] - ratios["value"],
                arrayminus=ratios["value"] - ratios["low"],
                color=GREY,
            ),
            customdata=ratios[["low", "high"]],
            hovertemplate="%{y}: %{x:.2f} (%{customdata[0]}–%{customdata[1]})<extra></extra>",
            cliponaxis=False,
        )
    )
    figure.add_vline(x=1, line=dict(color=GREY, width=2, dash="dash"))
    dressed(figure, height_px=110 + 36 * max(len(ratios), 2), legend=False)
    ticks = [0.25, 0.5, 1, 2, 4, 8, 16]
    figure.update_xaxes(
        title_text=words("latency.ratio"),
        type="log",
        tickvals=ticks,
        ticktext=[str(t) for t in ticks],
    )
    figure.update_yaxes(autorange="reversed", ticklabelstandoff=8)
    return figure
