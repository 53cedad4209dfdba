"""One look for all figures. Text and grid take the page's own colours through style.css."""

from __future__ import annotations

import plotly.graph_objects as go

GREY = "#7F8694"
FONT = dict(family="system-ui, -apple-system, 'Segoe UI', 'Noto Sans TC', sans-serif", size=13)


def dressed(figure: go.Figure, *, height_px: int, legend: bool = True) -> go.Figure:
    """Apply the common layout; returns the same figure."""
    figure.update_layout(
        template="none",
        height=height_px,
        font={**FONT, "color": GREY},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin=dict(l=56, r=16, t=28, b=52),
        # A mark's own colour behind grey letters could not be read.
        hoverlabel=dict(font={**FONT, "color": "#FFFFFF"}, bgcolor="#1F2937", bordercolor=GREY),
        showlegend=legend,
        legend=dict(orientation="h", yanchor="bottom", y=1.02, x=0, xanchor="left"),
        dragmode=False,
    )
    figure.update_xaxes(title_font_size=13)
    figure.update_yaxes(title_font_size=13)
    grid = dict(gridcolor="rgba(127,134,148,.25)", zerolinecolor="rgba(127,134,148,.4)")
    figure.update_xaxes(**grid, fixedrange=True, automargin=True)
    figure.update_yaxes(**grid, fixedrange=True, automargin=True)
    return figure


def with_alpha(color: str, alpha: float) -> str:
    """``#RRGGBB`` with an opacity, as CSS."""
    r, g, b = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({r},{g},{b},{alpha})"
