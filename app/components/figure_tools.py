"""Under a figure: save it as PNG or SVG, its data as CSV, its values as a table, how it is made."""

from __future__ import annotations

import datetime
from html import escape
from pathlib import Path

import gradio as gr
import pandas as pd

from app.language import Words
from app.project_documents import PREFIX, RESULTS, is_served

# Of what stands in a table, by the name of its column, and of the columns' own names.
_KEYS = {"task": "task.{}", "part": "part.{}", "scope": "scope.{}", "column": "column.{}"}
# Numbers that are whole, or nearly; all others are fractions and have three places.
_COUNTED = ["x", "epoch", "seed", "seeds", "n"]
_SCRIPT = Path(__file__).with_suffix(".js")


def figure_tools() -> gr.HTML:
    """The component; its value is what ``tools_html`` makes."""
    return gr.HTML(js_on_load=_SCRIPT.read_text(encoding="utf-8"), apply_default_css=False)


def tools_html(
    figure: str, table: pd.DataFrame | None, run: str, words: Words, title: str = ""
) -> str:
    """The tools of one figure; nothing where there is no figure.

    Args:
        figure: the plot's element id; "figure.ID" holds how it is made.
        table: what is drawn, in plain numbers.
        run: the run's name.
        words: the visitor's language.
        title: of the figure.
    """
    if table is None or table.empty:
        return ""
    today = datetime.date.today().isoformat()
    plain = table.map(lambda v: round(v, 6) if isinstance(v, float) else v)
    values = _worded(table, words).to_html(
        index=False, border=0, classes="oh-table", float_format="%.3f", na_rep=""
    )
    file = f"onehead-{run}-{figure}".replace("/", "-").replace(" ", "-")
    buttons = "".join(
        f"<button type='button' data-format='{kind}' aria-label='{escape(title)}: "
        f"{kind.upper()}'>{kind.upper()}</button>"
        for kind in ("png", "svg", "csv")
    )
    return (
        f"<div class='oh-tools' data-plot='{escape(figure)}' data-title='{escape(title)}' "
        f"data-note='{escape(f'OneHead · {run} · {today}')}' data-file='{escape(file)}' "
        f"data-csv='{escape(plain.to_csv(index=False))}'>{buttons}"
        f"<details><summary>{escape(words('figure.how'))}</summary>"
        f"<p>{escape(words(f'figure.{figure}'))}</p></details>"
        f"<details><summary>{escape(words('figure.values'))}</summary>{values}</details>"
        f"{_results(words)}</div>"
    )


def _worded(table: pd.DataFrame, words: Words) -> pd.DataFrame:
    """The table as people read it; files keep the plain names."""
    shown = table.dropna(axis=1, how="all")
    for column in shown.columns.intersection(_COUNTED):
        shown[column] = shown[column].map("{:.4g}".format, na_action="ignore")
    for column in shown.select_dtypes("bool"):
        shown[column] = shown[column].map({True: "✓", False: ""})
    for column in shown.columns.intersection(["task", "name", "part", "scope"]):
        shown[column] = [_said(column, value, words) for value in shown[column]]
    return shown.rename(columns={c: _said("column", c, words) for c in shown})


def _said(kind: str, value: str, words: Words) -> str:
    if kind == "name":
        return words.class_name(value)
    known = words.table.get(_KEYS[kind].format(value))
    return known or words.table.get(f"part.{value}", value)


def _results(words: Words) -> str:
    """A link to the tables of all shipped runs; an installed package comes without them."""
    if not is_served(RESULTS):
        return ""
    said = escape(words("figure.results"))
    return f"<a href='{PREFIX[1:]}{RESULTS}' target='_blank' rel='noopener'>{said}</a>"
