"""R, the scores of every task after every stage, as a heat map."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import dressed
from app.language import Words

# From forgotten to kept, in the colours of the verdicts.
_LOW, _HIGH = 0.5, 1.1
_SCALE = [
    [0.0, "#E08A5B"],
    [(0.85 - _LOW) / (_HIGH - _LOW), "#F6C08A"],
    [(0.95 - _LOW) / (_HIGH - _LOW), "#DCE8F2"],
    [(1.0 - _LOW) / (_HIGH - _LOW), "#9CC9E8"],
    [1.0, "#7DB5DE"],
]


def score_matrix(
    matrix: pd.DataFrame,
    order: list[str],
    words: Words,
    metrics: Mapping[str, str],
    spread: Mapping[tuple[int, str], tuple[float, float, int]] | None = None,
) -> go.Figure:
    """Rows are stages, columns tasks; colour is the share kept, text the score itself.

    Args:
        matrix: as ``records.stage_matrix`` makes, fractions with NaN before a task's stage.
        order: the tasks in the order of their stages, which is the order of the columns.
        words: the visitor's language.
        metrics: the name of each task's metric.
        spread: lowest and highest score of all seeds and their number, per stage and task.
    """
    tasks = [task for task in order if task in matrix]
    stages = [int(stage) for stage in matrix.index]
    kept, texts = [], []
    for stage in stages:
        shares: list[float | None] = []
        row = []
        for task in tasks:
            number = order.index(task) + 1
            value = matrix.at[stage, task]
            if stage < number or value != value:
                shares.append(None)
                row.append(words("forgetting.not_yet"))
                continue
            base = matrix.at[number, task] if number in matrix.index else value
            share = float(value / base) if base else None  # nothing can be kept of a zero
            shares.append(share)
            change = ""
            if stage != number and share is not None:
                change = f"<br>{_signed(share - 1)}"
            seeds = ""
            if (stage, task) in (spread or {}):
                least, most, count = (spread or {})[stage, task]
                ends = {"low": _short(least), "high": _short(most)}
                told = words("matrix.seeds", count=count, **ends)
                seeds = f"<br><span style='font-size:10px'>{told}</span>"
            row.append(f"<b>{value:.3f}</b>{change}{seeds}")
        kept.append(shares)
        texts.append(row)
    names = [f"{words.task(task)}<br>{metrics.get(task, '')}" for task in tasks]
    rows = [words("forgetting.after", number=n).replace(" ", "<br>", 1) for n in stages]
    figure = go.Figure(
        go.Heatmap(
            z=kept,
            x=names,
            y=rows,
            customdata=[[[stage, task] for task in tasks] for stage in stages],
            colorscale=_SCALE,
            zmin=_LOW,
            zmax=_HIGH,
            xgap=4,
            ygap=4,
            hovertemplate="%{y}<br>%{x}<br>%{z:.1%}<extra></extra>",
            hoverongaps=False,
            # Each cell tells its own share; a scale beside it would cost a phone its width.
            showscale=False,
        )
    )
    for i, row_name in enumerate(rows):
        for j, column in enumerate(names):
            share = kept[i][j]
            # Text takes the ink that its own cell needs, whatever the page's colours are.
            ink = None if share is None else "#111"
            figure.add_annotation(
                x=column,
                y=row_name,
                text=texts[i][j],
                showarrow=False,
                font=dict(size=14 if ink else 12, color=ink) if ink else dict(size=12),
            )
    dressed(figure, height_px=340, legend=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(side="top", showgrid=False, tickangle=0)
    figure.update_layout(margin=dict(t=56, b=12))
    return figure


def _signed(change: float) -> str:
    return "±0.0%" if abs(change) < 0.0005 else f"{change:+.1%}"


def _short(score: float) -> str:
    """A fraction without its leading zero: a cell on a phone is narrow."""
    return f"{score:.3f}".removeprefix("0")
