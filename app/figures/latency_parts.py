"""How long the parts of a pass take, and how many parameters they hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import GREY, dressed, with_alpha
from app.language import Words
from app.palette import NEUTRAL

BUDGET_MS = 150.0
BUDGET_PARAMETERS = 8_000_000
TOTAL = "total"
# Parts stacked in one bar, each named in its legend.
_PARTS = ("#3F51B5", "#0097A7", "#A1477E", "#CC79A7", "#56B4E9", "#E69F00")


def part_name(part: str, words: Words) -> str:
    """A part's name for people; a part nobody named keeps its own."""
    return words.table.get(f"part.{part}", part.replace("_", " "))


def latency_violins(times: pd.DataFrame, words: Words) -> go.Figure:
    """A violin per part of the pass with its single measurements, and the budget's line.

    Args:
        times: one row per pass, one column per part, milliseconds; ``total`` is the whole pass.
        words: the visitor's language.
    """
    figure = go.Figure()
    for part in [c for c in times if c != TOTAL] + [c for c in times if c == TOTAL]:
        color = GREY if part == TOTAL else NEUTRAL
        figure.add_trace(
            go.Violin(
                x=times[part],
                name=part_name(part, words),
                orientation="h",
                side="positive",
                width=1.6,
                points="all",
                pointpos=-0.25,
                jitter=0.3,
                marker=dict(size=4, color=color, opacity=0.7),
                line=dict(color=color, width=1.5),
                fillcolor=with_alpha(color, 0.3),
                meanline_visible=False,
                spanmode="hard",
                hoverinfo="x+name",
            )
        )
    figure.add_vline(
        x=BUDGET_MS,
        line=dict(color=GREY, width=2, dash="dash"),
        annotation_text=words("latency.budget", ms=f"{BUDGET_MS:.0f}"),
        annotation_position="top left",
    )
    dressed(figure, height_px=130 + 52 * len(times.columns), legend=False)
    figure.update_layout(margin=dict(t=40))
    largest = float(np.nanmax(times.to_numpy())) if len(times) else 0.0
    figure.update_xaxes(title_text=words("latency.axis"), range=[0, max(BUDGET_MS, largest) * 1.05])
    figure.update_yaxes(autorange="reversed")
    return figure


def parameter_bars(counts: pd.Series, words: Words) -> go.Figure:
    """Parameters per part in millions, stacked in one bar against the budget.

    Args:
        counts: parameters per part.
        words: the visitor's language.
    """
    figure = go.Figure()
    for index, (part, count) in enumerate(counts.items()):
        figure.add_trace(
            go.Bar(
                x=[count / 1e6],
                y=[""],
                name=f"{part_name(str(part), words)} {count / 1e6:.2f} M",
                orientation="h",
                marker=dict(color=_PARTS[index % len(_PARTS)]),
                hovertemplate="%{fullData.name}<extra></extra>",
            )
        )
    figure.add_vline(
        x=BUDGET_PARAMETERS / 1e6,
        line=dict(color=GREY, width=2, dash="dash"),
        annotation_text=words("latency.parameters_budget"),
        annotation_position="top left",
    )
    dressed(figure, height_px=190)
    figure.update_layout(
        barmode="stack", bargap=0.45, margin=dict(l=8, t=60), legend_traceorder="normal"
    )
    figure.update_xaxes(
        title_text=words("latency.parameters_axis"), range=[0, BUDGET_PARAMETERS / 1e6 * 1.04]
    )
    return figure
