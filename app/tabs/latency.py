"""Latency: measured now on a button, beside the parameters and the shipped reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.figures.latency_parts import latency_violins, parameter_bars
from app.language import Words
from app.look import example_pictures
from app.measuring import (
    MAX_PASSES,
    measure_passes,
    parameter_counts,
    shipped_html,
    summary_html,
)
from app.picture import read_upload
from app.site import MEASURES, QUICK, Site, machine_name, told, words_for
from mtl_core.types import InputError


@dataclass(frozen=True)
class LatencyTab:
    """The components that follow the run."""

    outputs: list[gr.Component]


def build_latency(site: Site, run_choice: gr.Radio, t: gr.I18n) -> LatencyTab:
    """Lay the tab out and connect it."""
    gr.Markdown(t("latency.intro"), elem_classes="oh-quiet")
    with gr.Row(equal_height=True):
        passes = gr.Slider(5, MAX_PASSES, value=30, step=5, label=t("latency.n"), scale=3)
        button = gr.Button(t("latency.button"), variant="primary", scale=1, elem_id="measure")
    summary = gr.HTML(elem_id="latency-summary")
    violins = gr.Plot(show_label=False, visible=False, container=False, elem_id="violins")
    with gr.Row():
        with gr.Column(min_width=320):
            gr.Markdown(t("latency.parameters"), elem_classes="oh-title")
            parameters = gr.Plot(show_label=False, container=False, elem_id="parameters")
            no_parameters = gr.Markdown(
                t("latency.parameters_none"), elem_classes="oh-quiet", visible=False
            )
        with gr.Column(min_width=320):
            gr.Markdown(t("latency.shipped"), elem_classes="oh-title")
            shipped = gr.HTML(elem_id="latency-shipped")

    @told
    def measure_now(
        run_name: str | None,
        passes: float,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  Gradio finds it by this default
    ) -> tuple[Any, Any]:
        words = words_for(request)
        run = site.runs.get(run_name)
        pictures = list(example_pictures().values())
        if not pictures:
            raise InputError("There is no example picture to measure with.")
        picture = read_upload(pictures[0])
        engine = site.engines.engine(run.stages[-1])
        done = None
        for number, measured in measure_passes(engine, site.engines, picture, int(passes)):
            progress((number, int(passes)), desc=words("latency.running"))
            done = measured
        assert done is not None
        return (
            summary_html(done, type(engine).__name__, machine_name(), words),
            gr.update(value=latency_violins(done.times, words), visible=True),
        )

    button.click(
        measure_now,
        [run_choice, passes],
        [summary, violins],
        api_visibility="private",
        show_progress_on=summary,
        **MEASURES,
    )
    outputs = [summary, violins, parameters, no_parameters, shipped]

    @told
    def follow(run_name: str | None, request: gr.Request) -> tuple:
        return latency_figures(site, run_name, words_for(request))

    run_choice.change(
        follow, run_choice, outputs, api_visibility="private", show_progress="hidden", **QUICK
    )
    return LatencyTab(outputs)


def latency_figures(site: Site, run_name: str | None, words: Words) -> tuple[Any, ...]:
    """What the tab shows before anything is measured."""
    empty = f"<p class='oh-quiet'>{words('latency.empty')}</p>"
    nothing = gr.update(value=None, visible=False)
    if not len(site.runs):
        return empty, nothing, nothing, gr.update(visible=True), shipped_html(None, words)
    run = site.runs.get(run_name)
    counts = parameter_counts(run.manifest)
    return (
        empty,
        nothing,
        gr.update(value=parameter_bars(counts, words), visible=True) if len(counts) else nothing,
        gr.update(visible=not len(counts)),
        shipped_html(run.latency(), words),
    )
