"""Runs side by side: what each kept of the old against what it reached on the new."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import GREY, dressed, with_alpha
from app.language import Words
from app.palette import NEUTRAL
from mtl_core.metrics.accuracy_matrix import ALLOWED_DROP

_SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star", "hexagon", "x")
_HEIGHT_PX, _PLOT_PX, _LABEL_PX = 460, 340, 27
_LABEL_LETTERS = 16  # a line; a phone has no room for more


def _interval(row: Any) -> dict[str, Any] | None:
    low, high = getattr(row, "low", math.nan), getattr(row, "high", math.nan)
    if math.isnan(low) or math.isnan(high):
        return None
    above, below = max(high - row.kept, 0.0), max(row.kept - low, 0.0)
    return dict(
        type="data", symmetric=False, array=[above], arrayminus=[below], color=GREY, thickness=1
    )


def _label(text: str) -> str:
    return "<br>".join(textwrap.wrap(text, _LABEL_LETTERS))


def _seeds(row: Any, others: pd.DataFrame, symbol: str, words: Words) -> go.Scatter:
    points = [(row.reached, row.kept, None)]
    for other in others.itertuples():
        points += [(other.reached, other.kept, other.seed), (row.reached, row.kept, None)]
    return go.Scatter(
        x=[x for x, _, _ in points],
        y=[y for _, y, _ in points],
        mode="lines+markers",
        name=f"{row.run}: {words('methods.other_seeds')}",
        line=dict(color=with_alpha(NEUTRAL, 0.5), width=1),
        marker=dict(
            symbol=symbol, color=NEUTRAL, size=[0 if seed is None else 7 for *_, seed in points]
        ),
        cliponaxis=False,
        customdata=[[seed] for *_, seed in points],
        hovertemplate=f"{row.run}, {words('about.seed')} %{{customdata[0]}}"
        "<br>%{x:.1%}, %{y:.1%}<extra></extra>",
    )


def methods_compared(table: pd.DataFrame, words: Words) -> go.Figure:
    """A point per run with its name beside it; the upper right is where everyone wants to be.

    Other seeds of a run are small marks of the same kind, tied to it. Marks are hollow, so that
    none hides another.

    Args:
        table: as ``methods_table`` makes.
        words: the visitor's language.
    """
    figure = go.Figure()
    figure.add_hline(y=1 - ALLOWED_DROP, line=dict(color=GREY, width=1, dash="dash"))
    low, high = float(table.reached.min()), float(table.reached.max())
    wide, tall = max(high - low, 0.05), max(1.05, float(table.kept.max()) + 0.05)
    floor = tall
    own = table[table.own]
    alone = own.method.value_counts() == 1
    for index, row in enumerate(own.sort_values("kept", ascending=False).itertuples()):
        name = words.table.get(f"method.{row.method}", row.method)
        hollow = "-open-dot" if row.method == "joint" else "-open"
        symbol = _SYMBOLS[index % len(_SYMBOLS)] + hollow
        others = table[(table.run == row.run) & ~table.own]
        if len(others):
            figure.add_trace(_seeds(row, others, symbol, words))
        figure.add_trace(
            go.Scatter(
                x=[row.reached],
                y=[row.kept],
                mode="markers",
                name=str(row.run),
                error_y=_interval(row),
                cliponaxis=False,
                marker=dict(size=14, symbol=symbol, color=NEUTRAL, line=dict(width=3)),
                hovertemplate=f"{row.run} ({row.method})<br>%{{x:.1%}}, %{{y:.1%}}<extra></extra>",
            )
        )
        # Names stand in a column beside the points, pushed apart where they would meet.
        floor = min(row.kept, floor - _LABEL_PX * tall / _PLOT_PX)
        figure.add_annotation(
            x=row.reached,
            y=row.kept,
            ax=high + 0.08 * wide,
            ay=floor,
            axref="x",
            ayref="y",
            text=_label(name if alone[row.method] else f"{name}: {row.run}"),
            align="left",
            font=dict(size=11),
            xanchor="left",
            arrowhead=0,
            arrowwidth=1,
            arrowcolor=GREY,
            standoff=8,
        )
    dressed(figure, height_px=_HEIGHT_PX, legend=False)
    figure.update_xaxes(
        title_text=words("methods.x"),
        tickformat=".0%",
        range=[low - 0.08 * wide, high + 1.1 * wide],
        tickvals=[low, high],
        ticklabelstandoff=6,
    )
    figure.update_yaxes(title_text=words("methods.y"), tickformat=".0%", range=[0, tall])
    return figure
