"""The grid: one image as every run answers it after every stage; a cell goes into the divider."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from app.components.examples_row import example_told
from app.components.sides import split_side
from app.language import Words
from app.results.loss_sentence import differences
from app.results.run_tables import measured_on
from app.results.run_words import method_name, run_choices
from app.services.viewed_image import ViewedImage
from app.site import Site
from app.viewer import drawing_scripts
from app.viewer.payload import Side, grid_payload

_HERE = Path(__file__).parent
_FIRST = 4  # runs that are drawn before a visitor picks others


def stage_grid() -> gr.HTML:
    """The component; its ``select`` event carries a side, a run and a stage's number."""
    return gr.HTML(
        value={},
        html_template=(_HERE / "grid.html").read_text(encoding="utf-8"),
        js_on_load=drawing_scripts() + (_HERE / "grid.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id="grid",
    )


def first_picked(site: Site, right: str | None, left: str | None, visitor: str = "") -> list[str]:
    """The runs that are drawn at first: those beside the divider, and others measured alike.

    Args:
        site: the runs.
        right: the chosen run.
        left: the other side as sent.
        visitor: whose list of runs.
    """
    name, beside = site.runs.name_of(site.runs.get(right)), split_side(site, left)
    alike = [
        other
        for _, other in run_choices(site.runs, Words("en"), visitor)
        if measured_on(site.runs.get(other)) == measured_on(site.runs.get(name))
    ]
    sides = [name, *([beside[0]] if beside else [])]
    return list(dict.fromkeys([*sides, *alike]))[: max(_FIRST, len(set(sides)))]


def grid_value(
    site: Site, viewed: ViewedImage, words: Words, picked: Sequence[str], visitor: str = ""
) -> dict[str, Any]:
    """What the component draws: a row per picked run, and what makes them hard to compare."""
    order = [name for _, name in run_choices(site.runs, words, visitor) if name in picked]
    if not order:
        return {}
    runs = {name: site.runs.get(name) for name in order}
    told = example_told(viewed.example, words) if viewed.example else viewed.file_name
    return grid_payload(
        viewed.image,
        [
            Side(name, method_name(run, words), viewed.of(name, site.runs, site.engines))
            for name, run in runs.items()
        ],
        words,
        viewed=viewed.key,
        title=words("grid.title", picture=told),
        picture=viewed.picture,
        note=differences(list(runs.values()), words),
    )
