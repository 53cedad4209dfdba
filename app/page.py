"""The page: a header, the choice of run, the tabs, and what a visitor's first look fills in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from app.api import add_endpoints
from app.closed_addresses import ClosedAddresses, never_fetch
from app.components.examples_row import examples_html
from app.components.header import header_html, page_header
from app.components.lasting_choice import lasting
from app.components.sides import NO_SIDE, left_choices, opening_sides, split_side
from app.language import Words, translations
from app.mcp_answers import use_json_tools
from app.results.run_words import run_choices
from app.services.image_reading import MAX_BYTES
from app.services.validation_images import TASKS_SHOWN, UNREADABLE
from app.services.viewed_image import ViewedImage, example_images, example_view
from app.share_card import ShareCard
from app.site import IMAGES, QUICK, Site, says_refusals, visitor_of, words_for
from app.tabs.about import about_texts, build_about
from app.tabs.broken import build_broken
from app.tabs.broken_list import broken_rows
from app.tabs.compare import build_compare, show
from app.tabs.forgetting import build_forgetting, forgetting_figures
from app.tabs.latency import build_latency, latency_figures
from app.tabs.open_run import build_open_run
from app.tabs.teach import build_teach

_HERE = Path(__file__).parent
_SCRIPTS = ("head.js", "figure_keys.js")
_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Noto Sans TC", "sans-serif"]
# How often old files are looked for, and how old they are then: within an hour none is left.
_CLEAN_S = (600, 2400)
# Those in line wait, and are told their place; beyond so many somebody else is meant to be served.
QUEUE_PLACES = 512

# A figure that was drawn while its tab was hidden has not measured its room yet; and who was led
# from far down one tab to another one begins at its top.
_TAB_OPENED = """() => setTimeout(() => {
  window.dispatchEvent(new Event("resize"));
  const tabs = document.querySelector("#tabs");
  if (tabs.getBoundingClientRect().top < 0) tabs.scrollIntoView();
  window.oneHeadTab();
}, 50)"""


def build_page(site: Site) -> gr.Blocks:
    """The whole page for the given runs; nothing heavy is loaded here."""
    t = translations()
    names = site.runs.names
    demo = gr.Blocks(title="OneHead", delete_cache=_CLEAN_S, analytics_enabled=False)
    with demo:
        header = page_header(site.repository)
        run_choice = lasting(
            gr.Radio(
                run_choices(site.runs, Words("en")),
                value=opening_sides(site)[0],
                label=t("method"),
                show_label=False,
                visible=len(names) > 1,
                elem_id="run",
            )
        )
        if not names:
            gr.Markdown(t("no_run"), elem_classes="oh-empty")
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as all_tabs:
            with gr.Tab(t("tab.compare"), id="compare", elem_id="tab-compare") as compare:
                compare_tab = build_compare(site, run_choice, header, t)
            with gr.Tab(
                t("tab.forgetting"), id="forgetting", elem_id="tab-forgetting"
            ) as forgetting:
                forgetting_tab = build_forgetting(site, run_choice, header, t)
            with gr.Tab(t("tab.broken"), id="broken", elem_id="tab-broken") as broken:
                broken_tab = build_broken(
                    site, run_choice, header, compare_tab, forgetting_tab, all_tabs, t
                )
            with gr.Tab(t("tab.teach"), id="teach", elem_id="tab-teach") as teach:
                build_teach(site, demo, teach, run_choice, header, compare_tab, t)
            with gr.Tab(t("tab.latency"), id="latency", elem_id="tab-latency") as latency:
                latency_tab = build_latency(site, run_choice, header, t)
            with gr.Tab(t("tab.about"), id="about", elem_id="tab-about") as about:
                about_tab = build_about(site, run_choice, header, t)

        tabs = (compare, forgetting, broken, teach, latency, about)
        build_open_run(site, run_choice, compare_tab, t)

        @says_refusals
        def first_words(request: gr.Request) -> tuple[Any, ...]:
            words, name = words_for(request), _asked_run(site, request)
            # What stands there already is left alone: a hand may have chosen another one meanwhile.
            chosen: dict[str, Any] = {} if name == opening_sides(site)[0] else {"value": name}
            return (
                gr.update(choices=run_choices(site.runs, words), **chosen),
                *page_words(words),
                *forgetting_figures(site, name, "kept", None, words),
                *broken_rows(site, name, TASKS_SHOWN[0], None, None, None, words),
                *latency_figures(site, name, None, words),
                *about_texts(site, name, words),
            )

        @says_refusals
        def other_words(request: gr.Request) -> tuple[Any, ...]:
            words = words_for(request)
            return gr.update(
                choices=run_choices(site.runs, words, visitor_of(request))
            ), *page_words(words)

        def page_words(words: Words) -> tuple[Any, ...]:
            # A tab that was never opened does not follow a change of language by itself.
            labels = (gr.update(label=words(f"tab.{tab.id}")) for tab in tabs)
            return header_html(words, site.repository), *labels, examples_html(words)

        @says_refusals
        @site.turns.taken
        def first_view(request: gr.Request) -> tuple[Any, ...]:
            return _first_view(site, request)

        private: dict[str, Any] = {"api_visibility": "private"}
        c = compare_tab
        # The image that this puts in place changes its component, which compares the sides.
        demo.load(
            first_view,
            None,
            [c.image, c.viewed, c.viewer, c.timing, c.left],
            show_progress="minimal",
            show_progress_on=c.viewer,
            **private,
            **IMAGES,
        )
        worded = [header, *tabs, c.examples]
        of_tabs = (forgetting_tab, broken_tab, latency_tab, about_tab)
        quietly: dict[str, Any] = {"show_progress": "hidden", **private, **QUICK}
        demo.load(
            first_words,
            None,
            [run_choice, *worded, *(shown for tab in of_tabs for shown in tab.outputs)],
            **quietly,
        )
        # The last choice of a language counts, however quickly it follows another one.
        latest: dict[str, Any] = {"trigger_mode": "always_last", **quietly}
        header.select(other_words, None, [run_choice, *worded], **latest)
        gr.on([all_tabs.change, all_tabs.select], None, js=_TAB_OPENED, **private)
        add_endpoints(site, demo)

        def forget(request: gr.Request) -> None:
            # What was sent to a visitor's page is kept here as well, images among it, and would
            # be until a hundred others have come.
            holder = demo.state_holder
            with holder.lock:  # requests of others move their sessions in the same dictionary
                holder.session_data.pop(str(request.session_hash), None)
                holder.time_last_used.pop(str(request.session_hash), None)

        demo.unload(forget)
    # After every request Gradio would sum up the last 10,000 in a table that nobody here looks at.
    for name, value in (("CACHE_FREQUENCY", 1_000_000), ("MAX_EVENTS", 100)):
        os.environ.setdefault(f"GRADIO_ANALYTICS_{name}", str(value))
    use_json_tools()
    never_fetch()
    demo.queue(max_size=QUEUE_PLACES, default_concurrency_limit=2)
    return demo


def launch_options() -> dict[str, Any]:
    """What ``launch`` needs to show the page as it is meant."""
    return {
        "theme": _theme(),
        "css_paths": [_HERE / "style.css"],
        "head": "".join(f"<script>{_script(name)}</script>" for name in _SCRIPTS),
        "i18n": translations(),
        "max_file_size": MAX_BYTES,
        "mcp_server": True,
        "state_session_capacity": 100,
        "allowed_paths": [str(path) for path in example_images().values()],
        "app_kwargs": {"middleware": [Middleware(ClosedAddresses), Middleware(ShareCard)]},
        "footer_links": ["api", "settings"],
    }


def _script(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _theme() -> gr.themes.Base:
    """Gradio's plainest theme, with quiet text dark enough to read (WCAG AA)."""
    theme = gr.themes.Base(
        primary_hue="blue", neutral_hue="slate", font=_FONTS, font_mono=["ui-monospace"]
    )
    return theme.set(
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        block_info_text_color="*neutral_500",
        block_info_text_color_dark="*neutral_400",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
    )


def _asked(request: gr.Request) -> dict[str, str]:
    """What the address says; ``right``, a run and its stage, is an old name of the two."""
    query = dict(request.query_params or {})
    run, _, stage = query.pop("right", "").rpartition(":")
    return ({"run": run, "stage": stage} if run else {}) | query


def _asked_run(site: Site, request: gr.Request) -> str | None:
    asked = _asked(request).get("run")
    return asked if asked in site.runs.names else opening_sides(site)[0]


def _first_view(site: Site, request: gr.Request) -> tuple[Any, ...]:
    """The image, the stage and the sides that the address names, else the first ones."""
    words, query = words_for(request), _asked(request)
    run_name = _asked_run(site, request)
    if run_name is None or not example_images():
        return None, None, {"message": words("viewer.empty")}, "", gr.update()
    numbers = {str(stage.number): stage.number for stage in site.runs.get(run_name).stages}
    stage = numbers.get(query.get("stage", ""), max(numbers.values()))
    left = query.get("left", "")
    if left != "none" and split_side(site, left) is None:
        left = opening_sides(site)[1]
    left = NO_SIDE if left == "none" else left
    viewed = _asked_image(site, run_name, query)
    shown = show(site, viewed, run_name, left, words, stage)
    choices = gr.update(choices=left_choices(site, words), value=left)
    return str(viewed.placed), *shown, choices


def _asked_image(site: Site, run_name: str, query: dict[str, str]) -> ViewedImage:
    """The validation image or the example that the address names, else the first example."""
    task, _, stem = query.get("annotated", "").partition("/")
    if site.validation_images is not None and stem:
        try:
            return site.validation_images.viewed(site.runs.get(run_name), task, stem)
        except UNREADABLE:
            pass  # a link to what is not here opens the default
    examples = example_images()
    asked = str(query.get("example"))
    return example_view(asked if asked in examples else next(iter(examples)))
