"""What broke: every image that a later stage made worse, sorted by how much it lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.components.lasting_choice import lasting
from app.components.sides import side_of
from app.language import Refusal
from app.results.run_tables import stage_order
from app.services.validation_images import TASKS_SHOWN
from app.site import IMAGES, QUICK, Site, says_refusals, words_for
from app.tabs.broken_list import ANY, SHOWN, broken_rows
from app.tabs.compare import FREE, CompareTab, show
from app.tabs.forgetting import ForgettingTab


@dataclass(frozen=True)
class BrokenTab:
    """The components that follow the run."""

    outputs: list[gr.Component]


def build_broken(
    site: Site,
    run_choice: gr.Radio,
    header: gr.HTML,
    compare_tab: CompareTab,
    forgetting_tab: ForgettingTab,
    tabs: gr.Tabs,
    t: gr.I18n,
) -> BrokenTab:
    """Lay the tab out and connect it."""
    gr.Markdown(t("broken.intro"), elem_classes="oh-quiet")
    with gr.Row():
        task = gr.Radio(
            [(t(f"task.{name}"), name) for name in TASKS_SHOWN],
            value=TASKS_SHOWN[0],
            label=t("forgetting.task"),
            elem_id="broken-task",
        )
        span = lasting(gr.Dropdown(label=t("broken.span"), elem_id="broken-span"))
        kind = lasting(gr.Dropdown(label=t("broken.kind"), elem_id="broken-kind"))
        of_class = lasting(gr.Dropdown(label=t("broken.class"), elem_id="broken-class"))
    summary_html = gr.Markdown(elem_id="broken-summary", elem_classes="oh-quiet")
    kinds_html = gr.HTML(elem_id="broken-kinds")
    gallery = gr.Gallery(
        show_label=False,
        columns=4,
        height="auto",
        allow_preview=False,
        object_fit="contain",
        interactive=False,
        buttons=[],
        elem_id="broken-gallery",
    )
    more = gr.Button(t("broken.more"), visible=False, elem_id="broken-more")
    rows = gr.Dataframe(interactive=False, show_label=False, elem_id="broken-rows")
    shown = gr.State([])
    filters = [span, kind, of_class]
    outputs = [*filters, summary_html, kinds_html, gallery, more, rows, shown]

    @says_refusals
    def redraw(
        run_name: str | None,
        task: str,
        span: str | None,
        kind: str | None,
        of_class: str | None,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        return broken_rows(site, run_name, task, span, kind, of_class, words_for(request))

    @says_refusals
    def other_list(run_name: str | None, task: str, request: gr.Request) -> tuple[Any, ...]:
        return broken_rows(site, run_name, task, None, None, None, words_for(request))

    drawn: dict[str, Any] = {"api_visibility": "private", "show_progress_on": gallery, **QUICK}
    narrowed = [choice.input for choice in filters]
    gr.on(narrowed, redraw, [run_choice, task, *filters], outputs, **drawn)
    # What was filtered in one list would hide what is in another one.
    gr.on([run_choice.change, task.input], other_list, [run_choice, task], outputs, **drawn)

    def as_many(count: Callable[[int], int]) -> Callable[..., Any]:
        """The same list with another number of images in the gallery."""

        @says_refusals
        def drawn(
            run_name: str | None,
            task: str,
            span: str | None,
            kind: str | None,
            of_class: str | None,
            shown: list[dict[str, Any]],
            request: gr.Request,
        ) -> tuple[Any, ...]:
            asked = run_name, task, span, kind, of_class
            return broken_rows(site, *asked, words_for(request), count(len(shown)))

        return drawn

    for event, count in (
        (more.click, lambda shown: shown + SHOWN),
        (header.select, lambda shown: max(shown, SHOWN)),
    ):
        event(
            as_many(count),
            [run_choice, task, *filters, shown],
            outputs,
            trigger_mode="always_last",
            api_visibility="private",
            show_progress_on=gallery,
            **QUICK,
        )

    @says_refusals
    @site.turns.taken
    def open_image(
        run_name: str | None, shown: list[dict[str, Any]], event: gr.SelectData, request: gr.Request
    ) -> tuple[Any, ...]:
        if site.validation_images is None:
            raise Refusal("broken.no_photograph")
        if not 0 <= event.index < len(shown):
            raise Refusal("image.not_here")
        row, run = shown[event.index], site.runs.get(run_name)
        if site.validation_images.lacks(run, [row]):
            raise Refusal("broken.no_photograph")
        viewed = site.validation_images.viewed(run, row["task"], row["image"])
        # The two stages between which it broke stand side by side.
        left = side_of(site.runs.name_of(run), row["before"])
        answer = show(site, viewed, run_name, left, words_for(request), row["after"])
        return str(viewed.placed), *answer, left, gr.Tabs(selected="compare")

    c = compare_tab
    gallery.select(
        open_image,
        [run_choice, shown],
        [c.image, c.viewed, c.viewer, c.timing, c.left, tabs],
        js=FREE,
        api_visibility="private",
        show_progress_on=gallery,
        **IMAGES,
    )

    @says_refusals
    def follow_click(
        run_name: str | None, class_task: str, event: gr.EventData, request: gr.Request
    ) -> tuple[Any, ...]:
        asked = behind(event._data.get("value"), class_task, site, run_name)
        if asked is None:
            return tuple(gr.skip() for _ in range(2 + len(outputs)))
        task, span, of_class = asked
        found = broken_rows(site, run_name, task, span, ANY, of_class, words_for(request))
        return gr.Tabs(selected="broken"), task, *found

    forgetting_tab.clicked.select(
        follow_click,
        [run_choice, forgetting_tab.task],
        [tabs, task, *outputs],
        api_visibility="private",
        **QUICK,
    )
    return BrokenTab(outputs)


def behind(
    clicked: Any, class_task: str, site: Site, run_name: str | None
) -> tuple[str, str | None, str] | None:
    """The task, span and class that a click on a figure asks for; None where nothing is behind it.

    Args:
        clicked: ``figure`` and ``data``: a cell's [stage, task], or a class's [name, ...].
        class_task: whose classes are shown.
        site: the runs.
        run_name: the chosen one.
    """
    try:
        figure, data = clicked["figure"], list(clicked["data"])
    except (KeyError, TypeError):
        return None
    if figure == "classes" and class_task in TASKS_SHOWN and data:
        return class_task, None, str(data[0])
    if figure == "matrix" and len(data) == 2 and data[1] in TASKS_SHOWN:
        order = stage_order(site.runs.get(run_name).manifest)
        return data[1], f"{order.index(data[1]) + 1}-{data[0]}", ANY
    return None
