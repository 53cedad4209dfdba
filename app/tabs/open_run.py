"""Your run: on a local host, any run directory or Hub repository opens in the page."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from app.components.sides import left_choices
from app.language import Refusal
from app.results.run_words import run_choices
from app.services.runs import open_run
from app.site import QUICK, Site, from_this_machine, says_refusals, visitor_of, words_for
from app.tabs.compare import CompareTab


def build_open_run(site: Site, run_choice: gr.Radio, compare_tab: CompareTab, t: gr.I18n) -> None:
    """Lay the fold-out out and connect it; on a public host there is none."""
    if not site.local:
        return
    with gr.Accordion(t("open.title"), open=False, elem_id="open-run"), gr.Row():
        place = gr.Textbox(label=t("open.label"), info=t("open.info"), scale=4, elem_id="place")
        button = gr.Button(t("open.button"), scale=1, min_width=90)

    @says_refusals
    def add(where: str, request: gr.Request) -> tuple[Any, Any]:
        words = words_for(request)
        if not from_this_machine(request):
            raise Refusal("error.not_local")
        if not where.strip():
            raise Refusal("open.unnamed")
        name = site.runs.add(open_run(where.strip()))
        said = words("open.done", name=html.escape(name))
        gr.Info(said, duration=4, title=words("toast.done"))
        sides = gr.update(choices=left_choices(site, words, visitor_of(request)))
        runs = gr.update(
            choices=run_choices(site.runs, words, visitor_of(request)), value=name, visible=True
        )
        return runs, sides

    gr.on(
        [button.click, place.submit],
        add,
        place,
        [run_choice, compare_tab.left],
        api_visibility="private",
        **QUICK,
    ).success(**compare_tab.follow_run)
