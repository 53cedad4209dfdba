"""Which classes of a task were lost: a line per class from its first to its last score."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import GREY, dressed
from app.language import Words
from app.palette import color_of


def class_losses(table: pd.DataFrame, words: Words) -> go.Figure:
    """A dumbbell per class, the largest loss on top.

    Args:
        table: as ``records.class_drops`` makes: name, base, final, drop_abs.
        words: the visitor's language.
    """
    rows = table.iloc[::-1]
    names = [words.class_name(name) for name in rows.name]
    x: list[float | None] = []
    y: list[str | None] = []
    for name, base, final in zip(names, rows.base, rows.final, strict=True):
        x += [base, final, None]
        y += [name, name, None]
    colors = [color_of(name) for name in rows.name]
    figure = go.Figure(
        [
            go.Scatter(
                x=x,
                y=y,
                mode="lines",
                line=dict(color=GREY, width=2),
                hoverinfo="skip",
                showlegend=False,
            ),
            go.Scatter(
                x=rows.base,
                y=names,
                mode="markers",
                name=words("forgetting.class_before"),
                cliponaxis=False,
                marker=dict(
                    size=11, symbol="circle-open", color=GREY, line=dict(width=2, color=GREY)
                ),
                # The name as data, by which a click finds the images behind it.
                customdata=[[name] for name in rows.name],
                hovertemplate="%{y}: %{x:.3f}<extra></extra>",
            ),
            go.Scatter(
                x=rows.final,
                y=names,
                mode="markers",
                name=words("forgetting.class_after"),
                showlegend=False,
                cliponaxis=False,
                marker=dict(size=12, color=colors, line=dict(width=1, color=GREY)),
                customdata=[
                    [name, f"{-lost:+.3f}"]
                    for name, lost in zip(rows.name, rows.drop_abs, strict=True)
                ],
                hovertemplate="%{y}: %{x:.3f} (%{customdata[1]})<extra></extra>",
            ),
            # The legend shows the kind of mark, not one class's colour.
            go.Scatter(
                x=[None],
                y=[None],
                mode="markers",
                name=words("forgetting.class_after"),
                marker=dict(size=12, color=GREY),
            ),
        ]
    )
    dressed(figure, height_px=110 + 24 * max(len(rows), 3))
    figure.update_xaxes(title_text=words("forgetting.y_score"), rangemode="tozero")
    figure.update_yaxes(ticklabelstandoff=10)  # a lost class lies at zero
    figure.update_layout(margin=dict(t=52))
    return figure
