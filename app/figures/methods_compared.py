"""Runs side by side: what each kept of the old against what it reached on the new."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import GREY, dressed
from app.language import Words
from app.palette import TASK_COLORS
from mtl_core.metrics.accuracy_matrix import ALLOWED_DROP

_SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star", "hexagon", "x")
_INKS = (*TASK_COLORS.values(), "#CC79A7", "#56B4E9", "#9955FF", "#E69F00", "#555C6B")


def methods_compared(table: pd.DataFrame, words: Words) -> go.Figure:
    """A point per run; the upper right is where everyone wants to be.

    Args:
        table: as ``records.methods_table`` makes.
        words: the visitor's language.
    """
    figure = go.Figure()
    figure.add_hline(y=1 - ALLOWED_DROP, line=dict(color=GREY, width=1, dash="dash"))
    for index, row in enumerate(table.itertuples()):
        figure.add_trace(
            go.Scatter(
                x=[row.reached],
                y=[row.kept],
                mode="markers",
                name=str(row.run),
                cliponaxis=False,
                marker=dict(
                    size=16 if row.method != "joint" else 18,
                    symbol=_SYMBOLS[index % len(_SYMBOLS)],
                    color=_INKS[index % len(_INKS)],
                    line=dict(width=2 if row.method == "joint" else 0, color=GREY),
                ),
                hovertemplate=f"{row.run} ({row.method})<br>%{{x:.1%}}, %{{y:.1%}}<extra></extra>",
            )
        )
    dressed(figure, height_px=460)
    figure.update_xaxes(title_text=words("methods.x"), tickformat=".0%")
    figure.update_yaxes(title_text=words("methods.y"), tickformat=".0%", rangemode="tozero")
    return figure
