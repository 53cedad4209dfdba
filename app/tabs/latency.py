"""Latency: measured now on a button, beside the parameters and the shipped reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
import pandas as pd
import plotly.graph_objects as go

from app.components.figure_tools import figure_tools, tools_html
from app.figures.accuracy_time import accuracy_time_figure
from app.figures.latency_parts import latency_violins, parameter_bars
from app.figures.reference_ratios import reference_ratios_figure
from app.language import Refusal, Words
from app.results.accuracy_rows import accuracy_rows
from app.results.reference_times import reference_html, reference_ratios
from app.services.engines import DEFAULT, REFERENCE
from app.services.image_reading import read_upload
from app.services.latency import (
    MAX_PASSES,
    Measurement,
    measure_passes,
    parameter_counts,
    summary_html,
)
from app.services.viewed_image import example_images
from app.site import MEASURES, QUICK, Site, machine_name, may_load_torch, says_refusals, words_for


@dataclass(frozen=True)
class LatencyTab:
    """The components that follow the run."""

    outputs: list[gr.Component]


@dataclass(frozen=True)
class Measured:
    """What a visitor has measured last: of which run, by which engine."""

    run: str
    engine: str
    passes: Measurement


def build_latency(site: Site, run_choice: gr.Radio, header: gr.HTML, t: gr.I18n) -> LatencyTab:
    """Lay the tab out and connect it."""
    gr.Markdown(t("latency.intro"), elem_classes="oh-quiet")
    with gr.Row(equal_height=True):
        kind = gr.Radio(
            [(t("latency.default"), DEFAULT), (t("latency.torch"), REFERENCE)],
            value=DEFAULT,
            label=t("latency.engine"),
            visible=site.local,
            elem_id="engine",
            scale=2,
        )
        passes = gr.Slider(
            5, MAX_PASSES, value=30, step=5, label=t("latency.n"), scale=3, elem_id="passes"
        )
        button = gr.Button(t("latency.button"), variant="primary", scale=1, elem_id="measure")
    summary = gr.HTML(elem_id="latency-summary")
    violins = gr.Plot(show_label=False, visible=False, container=False, elem_id="violins")
    violins_tools = figure_tools()
    gr.Markdown(t("latency.shipped"), elem_classes="oh-title")
    ratios = gr.Plot(show_label=False, visible=False, container=False, elem_id="reference-ratios")
    ratios_tools = figure_tools()
    reference = gr.HTML(elem_id="latency-reference")
    accuracy_title = gr.Markdown(t("latency.accuracy"), elem_classes="oh-title", visible=False)
    accuracy = gr.Plot(show_label=False, visible=False, container=False, elem_id="accuracy-time")
    accuracy_tools = figure_tools()
    gr.Markdown(t("latency.parameters"), elem_classes="oh-title")
    parameters = gr.Plot(show_label=False, container=False, elem_id="parameters")
    parameters_tools = figure_tools()
    no_parameters = gr.Markdown(
        t("latency.parameters_none"), elem_classes="oh-quiet", visible=False
    )

    measured = gr.State(None)

    @says_refusals
    def measure_now(
        run_name: str | None,
        passes: float,
        kind: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  Gradio finds it by this default
    ) -> tuple[Measured, str, Any, str]:
        words, run = words_for(request), site.runs.get(run_name)
        if kind == REFERENCE and not may_load_torch(site, request):
            raise Refusal("latency.torch_local")
        images = list(example_images().values())
        if not images:
            raise Refusal("latency.no_image")
        image, _ = read_upload(images[0])
        engine = site.engines.engine(run.stages[-1], kind)
        done = None
        for number, measured in measure_passes(engine, site.engines, image, int(passes)):
            progress((number, int(passes)), desc=words("latency.running"))
            done = measured
        assert done is not None
        now = Measured(site.runs.name_of(run), type(engine).__name__, done)
        return now, *_measured(now, words)

    button.click(
        measure_now,
        [run_choice, passes, kind],
        [measured, summary, violins, violins_tools],
        api_visibility="private",
        show_progress_on=summary,
        **MEASURES,
    )
    outputs = [summary, violins, violins_tools, ratios, ratios_tools, reference]
    outputs += [accuracy_title, accuracy, accuracy_tools]
    outputs += [parameters, parameters_tools, no_parameters]

    @says_refusals
    def follow(
        run_name: str | None, measured: Measured | None, request: gr.Request
    ) -> tuple[Any, ...]:
        return latency_figures(site, run_name, measured, words_for(request))

    gr.on(
        [run_choice.change, header.select],
        follow,
        [run_choice, measured],
        outputs,
        trigger_mode="always_last",
        api_visibility="private",
        show_progress="hidden",
        **QUICK,
    )
    return LatencyTab(outputs)


def latency_figures(
    site: Site, run_name: str | None, measured: Measured | None, words: Words
) -> tuple[Any, ...]:
    """What the tab shows of a run, with what was measured of it last in this visit."""
    nothing = gr.update(value=None, visible=False)
    run = site.runs.get(run_name) if run_name or site.runs.names else None
    own = measured if run and measured and measured.run == site.runs.name_of(run) else None
    source = site.runs.measured_alike(run) if run else None
    latency = source.latency() if source else None
    of_other = site.runs.name_of(source) if source and source is not run else None
    ratios = reference_ratios(latency)
    reached = accuracy_rows(run.accuracy_and_time() if run else None)
    counts = parameter_counts(run.manifest if run else {})
    table = pd.DataFrame({"part": list(counts.index), "parameters": list(counts.values)})
    name = site.runs.name_of(run) if run else ""
    return (
        *_measured(own, words),
        _shown(reference_ratios_figure(ratios, words)) if len(ratios) else nothing,
        tools_html("reference-ratios", ratios, name, words, words("latency.shipped")),
        reference_html(latency, words, of_other),
        gr.update(visible=bool(len(reached))),
        _shown(accuracy_time_figure(reached, words)) if len(reached) else nothing,
        tools_html("accuracy-time", reached, name, words, words("latency.accuracy")),
        _shown(parameter_bars(counts, words)) if len(counts) else nothing,
        tools_html("parameters", table, name, words, words("latency.parameters")),
        gr.update(visible=not len(counts)),
    )


def _measured(now: Measured | None, words: Words) -> tuple[str, Any, str]:
    """The summary, the violins and their tools."""
    if now is None:
        empty = f"<p class='oh-quiet'>{words('latency.empty')}</p>"
        return empty, gr.update(value=None, visible=False), ""
    return (
        summary_html(now.passes, now.run, now.engine, machine_name(), words),
        _shown(latency_violins(now.passes.times, words)),
        tools_html("violins", now.passes.times, now.run, words, words("tab.latency")),
    )


def _shown(figure: go.Figure) -> Any:
    return gr.update(value=figure, visible=True)
