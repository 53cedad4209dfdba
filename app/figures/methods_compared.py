"""Runs side by side: what each kept of the old against what it reached on the new."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import GREY, dressed, with_alpha
from app.language import Words
from app.palette import method_color
from mtl_core.metrics.accuracy_matrix import ALLOWED_DROP

_SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star", "hexagon", "x")
_HEIGHT_PX = 500


def _interval(row: Any, color: str) -> dict[str, Any] | None:
    low, high = getattr(row, "low", math.nan), getattr(row, "high", math.nan)
    if math.isnan(low) or math.isnan(high):
        return None
    above, below = max(high - row.kept, 0.0), max(row.kept - low, 0.0)
    return dict(
        type="data", symmetric=False, array=[above], arrayminus=[below], color=color, thickness=1
    )


def _seeds(row: Any, others: pd.DataFrame, symbol: str, color: str, words: Words) -> go.Scatter:
    points = [(row.reached, row.kept, None)]
    for other in others.itertuples():
        points += [(other.reached, other.kept, other.seed), (row.reached, row.kept, None)]
    return go.Scatter(
        x=[x for x, _, _ in points],
        y=[y for _, y, _ in points],
        mode="lines+markers",
        name=f"{row.run}: {words('methods.other_seeds')}",
        showlegend=False,
        line=dict(color=with_alpha(color, 0.5), width=1),
        marker=dict(
            symbol=symbol, color=color, size=[0 if seed is None else 7 for *_, seed in points]
        ),
        cliponaxis=False,
        customdata=[[seed] for *_, seed in points],
        hovertemplate=f"{row.run}, {words('about.seed')} %{{customdata[0]}}"
        "<br>%{x:.1%}, %{y:.1%}<extra></extra>",
    )


def methods_compared(table: pd.DataFrame, words: Words) -> go.Figure:
    """A point per run, named in the legend; the upper right is where everyone wants to be.

    Other seeds of a run are small marks of the same kind, tied to it. Marks are hollow, so that
    none hides another.

    Args:
        table: as ``methods_table`` makes.
        words: the visitor's language.
    """
    figure = go.Figure()
    figure.add_hline(y=1 - ALLOWED_DROP, line=dict(color=GREY, width=1, dash="dash"))
    low, high = float(table.reached.min()), float(table.reached.max())
    # At least a tenth wide: ticks of whole percents are told apart.
    room = max(0.05 * (high - low), (0.1 - (high - low)) / 2)
    tall = max(1.05, float(table.kept.max()) + 0.05)
    own = table[table.own]
    alone = own.method.value_counts() == 1
    for index, row in enumerate(own.sort_values("kept", ascending=False).itertuples()):
        name = words.table.get(f"method.{row.method}", row.method)
        hollow = "-open-dot" if row.method == "joint" else "-open"
        symbol, color = _SYMBOLS[index % len(_SYMBOLS)] + hollow, method_color(row.method)
        others = table[(table.run == row.run) & ~table.own]
        if len(others):
            figure.add_trace(_seeds(row, others, symbol, color, words))
        figure.add_trace(
            go.Scatter(
                x=[row.reached],
                y=[row.kept],
                mode="markers",
                name=name if alone[row.method] else f"{name}: {row.run}",
                error_y=_interval(row, color),
                cliponaxis=False,
                marker=dict(size=14, symbol=symbol, color=color, line=dict(width=3)),
                hovertemplate=f"{row.run} ({row.method})<br>%{{x:.1%}}, %{{y:.1%}}<extra></extra>",
            )
        )
    dressed(figure, height_px=_HEIGHT_PX)
    figure.update_xaxes(
        title_text=words("methods.x"),
        tickformat=".0%",
        range=[low - room, high + room],
        ticklabelstandoff=6,
    )
    figure.update_yaxes(title_text=words("methods.y"), tickformat=".0%", range=[0, tall])
    return figure
