"""R, the scores of every task after every lesson, as a heat map."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import dressed
from app.language import Words
from app.records import PRIMARY

# Readable in grey and by colour-blind eyes: lightness runs one way (Cividis).
_SCALE = "Cividis"


def score_matrix(matrix: pd.DataFrame, order: list[str], words: Words) -> go.Figure:
    """Rows are lessons, columns tasks; colour is the share kept, text the score itself.

    Args:
        matrix: as ``records.stage_matrix`` makes, fractions with NaN before a task's lesson.
        order: the tasks in the order of their lessons, which is the order of the columns.
        words: the visitor's language.
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
            share = value / base if base else 1.0
            shares.append(float(share))
            change = "" if stage == number else f"<br>{share - 1:+.1%}".replace("+-", "-")
            row.append(f"<b>{value:.3f}</b>{change}")
        kept.append(shares)
        texts.append(row)
    names = [f"{words.task(task)}<br>{PRIMARY[task]}" for task in tasks]
    rows = [
        words("forgetting.after_task", number=n, task=words.task(order[n - 1]))
        if n <= len(order)
        else words("forgetting.after", number=n)
        for n in stages
    ]
    figure = go.Figure(
        go.Heatmap(
            z=kept,
            x=names,
            y=rows,
            customdata=[[[stage, task] for task in tasks] for stage in stages],
            colorscale=_SCALE,
            zmin=0.5,
            zmax=1.05,
            xgap=4,
            ygap=4,
            hovertemplate="%{y}<br>%{x}<br>%{z:.1%}<extra></extra>",
            hoverongaps=False,
            colorbar=dict(
                tickformat=".0%",
                thickness=10,
                outlinewidth=0,
                title=dict(text=words("forgetting.kept"), side="right"),
            ),
        )
    )
    for i, row_name in enumerate(rows):
        for j, column in enumerate(names):
            share = kept[i][j]
            # Text takes the ink that its own cell needs, whatever the page's colours are.
            ink = None if share is None else "#111" if share > 0.78 else "#fff"
            figure.add_annotation(
                x=column,
                y=row_name,
                text=texts[i][j],
                showarrow=False,
                font=dict(size=14 if ink else 12, color=ink) if ink else dict(size=12),
            )
    dressed(figure, height_px=340, legend=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(side="top", showgrid=False)
    figure.update_layout(margin=dict(t=56, b=12))
    return figure
