"""About: what the network is, how the chosen run was made, and the licences."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from app.about import drawing, licences, prose, provenance
from app.language import Words
from app.site import QUICK, Site, says_refusals, words_for


@dataclass(frozen=True)
class AboutTab:
    """The components that follow the run and the language."""

    outputs: list[gr.Component]


def build_about(site: Site, run_choice: gr.Radio, header: gr.HTML, t: gr.I18n) -> AboutTab:
    """Lay the tab out and connect it."""
    drawn = gr.HTML(drawing(Words("en")), elem_id="drawing")
    text = gr.Markdown(prose(Words("en")), elem_id="about-text")
    gr.Markdown(t("about.title"), elem_classes="oh-title")
    made = gr.HTML(elem_id="provenance")
    gr.Markdown(t("about.licence"), elem_classes="oh-title")
    of_images = gr.Markdown(licences(Words("en")), elem_id="licences")
    outputs = [drawn, text, made, of_images]

    @says_refusals
    def follow(run_name: str | None, request: gr.Request) -> tuple[str, ...]:
        return about_texts(site, run_name, words_for(request))

    gr.on(
        [run_choice.change, header.select],
        follow,
        run_choice,
        outputs,
        trigger_mode="always_last",
        api_visibility="private",
        show_progress="hidden",
        **QUICK,
    )
    return AboutTab(outputs)


def about_texts(site: Site, run_name: str | None, words: Words) -> tuple[str, ...]:
    """The drawing, the prose, the run's provenance and the licences in the visitor's language."""
    if not (run_name or site.runs.names):
        return drawing(words), prose(words), "", licences(words)
    run = site.runs.get(run_name)
    return (
        drawing(words),
        prose(words),
        provenance(site.runs.name_of(run), run, words),
        licences(words),
    )
