"""Ratios of times that were measured in turns: one pass beside what else one could run."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import GREY, dressed
from app.language import Words
from app.palette import NEUTRAL
from app.results.ratio_words import GROUPS, placed

_ROW_PX = 42


def reference_ratios_figure(ratios: pd.DataFrame, words: Words) -> go.Figure:
    """A row per ratio under its group's heading, beside the line of equal time.

    What is compared stands over each row and not beside it, so that a phone has room for both.

    Args:
        ratios: as ``reference_times.reference_ratios`` makes: name, value, low, high.
        words: the visitor's language.
    """
    named = [placed(name, words) for name in ratios["name"]]
    columns = pd.DataFrame(named, columns=["place", "group", "label"], index=ratios.index)
    table = ratios.join(columns).sort_values("place", kind="stable")
    texts: list[tuple[int, str, int]] = []
    rows = []
    for group in GROUPS:
        own = table[table["group"] == group]
        if len(own):
            texts.append((len(texts), f"<b>{words(f'ratio.{group}')}</b>", 0))
        for row in own.itertuples():
            texts.append((len(texts), f"{row.label}: <b>{row.value:.2f}</b>", 15))
            rows.append((len(texts) - 1, row.label, row.value, row.low, row.high))
    shown = pd.DataFrame(rows, columns=["y", "label", "value", "low", "high"])
    figure = go.Figure(
        go.Scatter(
            x=shown["value"],
            y=shown["y"],
            mode="markers",
            marker=dict(size=10, color=NEUTRAL),
            error_x=dict(
                type="data",
                symmetric=False,
                array=shown["high"] - shown["value"],
                arrayminus=shown["value"] - shown["low"],
                color=GREY,
            ),
            customdata=shown[["label", "low", "high"]],
            hovertemplate="%{customdata[0]}: %{x:.2f} (%{customdata[1]}–%{customdata[2]})"
            "<extra></extra>",
            cliponaxis=False,
        )
    )
    for y, text, shift_px in texts:
        figure.add_annotation(
            x=0,
            xref="paper",
            xanchor="left",
            y=y,
            yshift=shift_px,
            text=text,
            showarrow=False,
            align="left",
            font=dict(size=13),
        )
    figure.add_vline(x=1, line=dict(color=GREY, width=2, dash="dash"))
    for text, anchor, shift_px in (("faster", "right", -8), ("slower", "left", 8)):
        figure.add_annotation(
            x=0,  # of a logarithmic axis: 1
            xanchor=anchor,
            xshift=shift_px,
            y=1,
            yref="paper",
            yanchor="bottom",
            text=words(f"ratio.{text}"),
            showarrow=False,
            font=dict(size=13),
        )
    dressed(figure, height_px=100 + _ROW_PX * max(len(texts), 2), legend=False)
    ticks = [0.25, 0.5, 1, 2, 4, 8, 16]
    figure.update_xaxes(
        title_text=words("latency.ratio"),
        type="log",
        tickvals=ticks,
        ticktext=[str(t) for t in ticks],
    )
    figure.update_yaxes(
        range=[len(texts) - 0.4, -0.7], showticklabels=False, showgrid=False, zeroline=False
    )
    figure.update_layout(margin=dict(l=8))
    return figure
