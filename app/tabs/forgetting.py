"""Forgetting: curves, matrix, verdicts, classes and methods, all from the runs' records."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.components.figure_tools import figure_tools, tools_html
from app.components.verdict_cards import verdict_cards
from app.figures.class_losses import class_losses
from app.figures.forgetting_curves import View, forgetting_curves
from app.figures.methods_compared import methods_compared
from app.figures.score_matrix import score_matrix
from app.language import Words
from app.results.methods_table import methods_table, task_losses, told_of
from app.results.run_tables import (
    class_drops,
    curves,
    drops,
    metrics_of,
    scores_table,
    side_by_side,
    stage_matrix,
    stage_order,
    together,
    with_base_reached,
)
from app.results.run_words import images_description
from app.results.study_seeds import seed_spread, seeds_of
from app.services.study import study_beside
from app.site import QUICK, Site, says_refusals, visitor_of, words_for
from mtl_core.runs.run_directory import Run
from mtl_core.types import InputError

# A click on a class or a cell of a figure asks for the images behind it. A figure may be drawn
# anew at any time, so it is listened to when a hand comes near.
_CLICKS = """
document.addEventListener("pointerover", (event) => {
  const plot = event.target.closest?.("#classes .js-plotly-plot, #matrix .js-plotly-plot");
  if (!plot || !plot.on) return;
  plot.removeAllListeners("plotly_click");
  plot.on("plotly_click", ({ points }) => {
    const figure = plot.closest("#matrix") ? "matrix" : "classes";
    if (points.length) trigger("select", { value: { figure, data: points[0].customdata } });
  });
});
"""


@dataclass(frozen=True)
class ForgettingTab:
    """The components that follow the run; ``clicked`` selects what lies behind a figure."""

    outputs: list[gr.Component]
    view: gr.Radio
    task: gr.Radio
    clicked: gr.HTML


def build_forgetting(
    site: Site, run_choice: gr.Radio, header: gr.HTML, t: gr.I18n
) -> ForgettingTab:
    """Lay the tab out and connect it."""
    gr.Markdown(t("forgetting.intro"), elem_classes="oh-quiet")
    verdicts = gr.HTML(elem_id="verdicts")
    with gr.Row():
        with gr.Column(scale=3, min_width=320):
            with gr.Row(elem_classes="oh-head"):
                gr.Markdown(t("forgetting.curve"), elem_classes="oh-title")
                view = gr.Radio(
                    [(t("forgetting.kept"), "kept"), (t("forgetting.score"), "value")],
                    value="kept",
                    show_label=False,
                    container=False,
                    elem_id="curve-view",
                )
            curve = gr.Plot(show_label=False, elem_id="curve", container=False)
            curve_tools = figure_tools()
        with gr.Column(scale=2, min_width=320):
            gr.Markdown(t("forgetting.matrix"), elem_classes="oh-title")
            matrix = gr.Plot(show_label=False, elem_id="matrix", container=False)
            matrix_tools = figure_tools()
    with gr.Row():
        with gr.Column(scale=1, min_width=320):
            with gr.Row(elem_classes="oh-head"):
                gr.Markdown(t("forgetting.classes"), elem_classes="oh-title")
                task = gr.Radio(
                    show_label=False,
                    container=False,
                    elem_id="class-task",
                )
            classes = gr.Plot(show_label=False, elem_id="classes", container=False)
            classes_tools = figure_tools()
            no_classes = gr.Markdown(
                t("forgetting.no_classes"), visible=False, elem_classes="oh-quiet"
            )
        with gr.Column(scale=1, min_width=320):
            gr.Markdown(t("forgetting.methods"), elem_classes="oh-title")
            methods_described = gr.Markdown(elem_id="methods-note", elem_classes="oh-quiet")
            methods = gr.Plot(show_label=False, elem_id="methods", container=False)
            methods_tools = figure_tools()

    clicked = gr.HTML(js_on_load=_CLICKS, elem_id="clicked", apply_default_css=False)

    tools = [curve_tools, matrix_tools, classes_tools, methods_tools]
    outputs = [verdicts, curve, matrix, task, classes, no_classes, *tools]
    outputs += [methods, methods_described]
    asked = [run_choice, view, task]

    @says_refusals
    def redraw(
        run_name: str | None, view: View, task: str | None, request: gr.Request
    ) -> tuple[Any, ...]:
        words, visitor = words_for(request), visitor_of(request)
        return forgetting_figures(site, run_name, view, task, words, visitor)

    gr.on(
        [run_choice.change, header.select, view.input, task.input],
        redraw,
        asked,
        outputs,
        trigger_mode="always_last",
        api_visibility="private",
        show_progress="hidden",
        **QUICK,
    )
    return ForgettingTab(outputs, view, task, clicked)


def forgetting_figures(
    site: Site,
    run_name: str | None,
    view: View,
    task: str | None,
    words: Words,
    visitor: str = "",
) -> tuple[Any, ...]:
    """Verdicts, curve, matrix, the tasks to choose from, classes, the note without classes, the
    tools of the four figures, methods, and what they are."""
    hidden = gr.update(value=None, visible=False)
    if not (run_name or site.runs.names):
        return verdict_cards([], {}, words), *[hidden] * 5, *[""] * 4, hidden, ""
    run = site.runs.get(run_name)
    try:
        records, order = run.records(), stage_order(run.manifest)
    except InputError as error:
        damaged = f"<p class='oh-quiet'>{html.escape(str(error))}</p>"
        return damaged, *[hidden] * 5, *[""] * 4, hidden, ""
    table = stage_matrix(records)
    if table.empty:
        return verdict_cards([], {}, words), *[hidden] * 5, *[""] * 4, hidden, ""
    chosen = task if task in order else order[0]
    choice = gr.update(choices=[(words.task(name), name) for name in order], value=chosen)
    lost = class_drops(records, order, chosen)
    fates = drops(records, order)
    judged = with_base_reached(run.verdicts(), records, fates)
    names = site.runs.names_for(visitor)
    beside = side_by_side({name: site.runs.get(name) for name in names}, run)
    told = told_of(beside, {name: study_beside(other) for name, other in beside.items()})
    side = methods_table(told)
    seeds = seed_spread(seeds_of(run, fates, study_beside(run)), fates)
    points, metrics = curves(records, order), metrics_of(records)
    curve = forgetting_curves(points, order, words, metrics, view)
    name = site.runs.name_of(run)
    scores = scores_table(records, order, judged, seeds)
    scores.insert(0, "run", name)
    images = next((fate.n for fate in fates if fate.task == chosen), None)
    drawn = {
        "curve": points.assign(run=name),
        "matrix": scores,
        "classes": lost.assign(run=name, task=chosen, n=images),
    }
    # Where all others are left out of the table, nothing stands side by side.
    several = side.own.sum() > 1
    # What a run kept of its worst task; of each task its own row tells.
    numbers = side.drop(columns=["low", "high"]).rename(columns={"kept": "kept_of_worst"})
    at_once = [name for name, one in told.items() if together(one.drops)]
    numbers.loc[numbers.run.isin(at_once), "kept_of_worst"] = math.nan  # nothing came later
    drawn["methods"] = task_losses(told).merge(numbers) if several else None
    return (
        verdict_cards(fates, judged, words, bool(seeds)),
        gr.update(value=curve, visible=True),
        gr.update(value=score_matrix(table, order, words, metrics, seeds), visible=True),
        choice,
        gr.update(value=class_losses(lost, words), visible=True) if len(lost) else hidden,
        gr.update(visible=not len(lost)),
        *(tools_html(id, t, name, words, words(f"forgetting.{id}")) for id, t in drawn.items()),
        gr.update(value=methods_compared(side, words), visible=True) if several else hidden,
        _described(site, run, beside, set(side.run), words),
    )


def _described(
    site: Site, run: Run, beside: dict[str, Run], compared: set[str], words: Words
) -> str:
    """Whose images the compared runs were made on, and which runs are left out and why."""
    others = ", ".join(name for name in beside if name not in compared)
    left_out = words("methods.left_out", runs=others) if others else ""
    if len(compared) < 2:
        return left_out or words("methods.one")
    images = images_description(next(iter(beside.values())).manifest, words)
    made_on = words("methods.made_on", images=images) if images else ""
    elsewhere = words("methods.elsewhere", run=site.runs.name_of(run))
    return " ".join(filter(None, ("" if run in beside.values() else elsewhere, made_on, left_out)))
