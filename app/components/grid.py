"""The grid: one image as every run answers it after every stage; a cell goes into the divider."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Sequence
from html import escape

import gradio as gr
import numpy as np
from PIL import Image

from app.components.class_legend import legend_html
from app.components.sides import run_title, split_side
from app.language import Words
from app.results.answer_words import answer_lines
from app.results.changes import mask_shares
from app.results.overlay import overlay
from app.results.run_tables import measured_on
from app.results.run_words import run_choices
from app.services.engines import StageAnswer
from app.services.viewed_image import ViewedImage
from app.site import Site
from app.viewer.payload import SMALLEST_SHARE
from mtl_core.data.image_io import bounded
from mtl_core.decoding.boxes import SHOWN_SCORE
from mtl_core.types import Boxes, LabelMap

_CELL_PX = 320
_FIRST = 4  # runs that are drawn before a visitor picks others

# A cell's buttons put it to one side; another one saves all cells as one labelled image.
_CLICKS = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const cell = button.closest("figure");
  if (cell) {
    const { run, number } = cell.dataset, side = button.dataset.side, wanted = window.oneHeadWanted;
    if (side === "left") wanted.left = `${run}:${number}`; else wanted.run = run;
    return trigger("select", { value: { side, run, number: Number(number) } });
  }
  const first = element.querySelector("img");
  const blank = document.createElement("canvas"); // where a run has no such stage
  [blank.width, blank.height] = [first.naturalWidth, first.naturalHeight];
  const known = [...element.querySelectorAll(".oh-legend li")];
  const legend = known.map((one) => ({ color: one.dataset.color, name: one.textContent }));
  const drawn = (td) => {
    const figure = td.querySelector("figure");
    if (!figure) return { image: blank, title: "", lines: [] };
    const image = document.createElement("canvas"), shown = figure.querySelector("img");
    [image.width, image.height] = [shown.naturalWidth, shown.naturalHeight];
    image.getContext("2d").drawImage(shown, 0, 0);
    const { title, lines } = figure.dataset;
    return { image, title, lines: JSON.parse(lines) };
  };
  const trs = [...element.querySelectorAll("tbody tr")];
  const rows = trs.map((row) => [...row.querySelectorAll("td")].map(drawn));
  window.oneHeadSheet(rows, element.querySelector("h3").textContent, "onehead-grid.png", legend);
});
"""


def stage_grid() -> gr.HTML:
    """The component; its ``select`` event carries a side, a run and a stage's number."""
    return gr.HTML(js_on_load=_CLICKS, apply_default_css=False, elem_id="grid")


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


def grid_html(
    site: Site, viewed: ViewedImage, words: Words, picked: Sequence[str], visitor: str = ""
) -> str:
    """A row per picked run, a stage after another: an overlay, its numbers and two buttons."""
    order = [name for _, name in run_choices(site.runs, words, visitor) if name in picked]
    if not order:
        return ""
    answers = {name: viewed.of(name, site.runs, site.engines) for name in order}
    numbers = sorted({a.number for told in answers.values() for a in told})
    rows, classes = [], dict.fromkeys(c for told in answers.values() for c in _classes(told))
    for name in order:
        title = run_title(site, name, words)
        cells = []
        for number in numbers:
            answer = next((a for a in answers[name] if a.number == number), None)
            if answer is None:
                cells.append(f"<td><p class='oh-quiet'>{escape(words('grid.none'))}</p></td>")
                continue
            stage = words("teach.stage", number=number, task=words.task(answer.task))
            lines = answer_lines(answer.prediction, SHOWN_SCORE, words)
            drawn = bounded(overlay(viewed.image, answer.prediction), _CELL_PX)
            told = "".join(f"<p>{escape(line)}</p>" for line in lines)
            buttons = "".join(
                f"<button type='button' data-side='{side}' aria-label='"
                f"{escape(words(f'grid.{side}'))}: {escape(title)}, {escape(stage)}'>"
                f"{escape(words(f'grid.{side}'))}</button>"
                for side in ("left", "right")
            )
            cells.append(
                f"<td><figure data-run='{escape(name)}' data-number='{number}' "
                f"data-title='{escape(title)} · {escape(stage)}' "
                f"data-lines='{escape(json.dumps(lines, ensure_ascii=False))}'>"
                f"<img alt='{escape(', '.join(lines))}' src='{_jpeg(drawn)}'>"
                f"<figcaption><b>{escape(stage)}</b>{told}<span>{buttons}</span></figcaption>"
                "</figure></td>"
            )
        rows.append(f"<tr><th scope='row'>{escape(title)}</th>{''.join(cells)}</tr>")
    return (
        f"<div data-viewed='{viewed.key}'><div class='oh-grid-head'>"
        f"<h3>{escape(words('grid.title'))}</h3>"
        f"<button type='button'>{escape(words('grid.save'))}</button></div>"
        f"<div class='oh-grid'><table><tbody>{''.join(rows)}</tbody></table></div>"
        f"{legend_html(classes, words)}</div>"
    )


def _classes(answers: Sequence[StageAnswer]) -> Iterator[str]:
    """The classes whose colours are seen in masks and boxes."""
    for answer in answers:
        for task, part in answer.prediction.parts.items():
            names = answer.prediction.class_names.get(task, [])
            if isinstance(part, LabelMap):
                yield from (
                    n for n, s in mask_shares(part.ids, names).items() if s >= SMALLEST_SHARE
                )
            elif isinstance(part, Boxes):
                yield from part.above(SHOWN_SCORE).names(names)


def _jpeg(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
