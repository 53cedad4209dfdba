"""What broke: every image that a later stage made worse, sorted by how much it lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
import numpy as np
import pandas as pd

from app.components.lasting_choice import lasting
from app.components.sides import side_of
from app.language import Refusal, Words
from app.palette import is_background, readable
from app.results.percentages import percent
from app.results.run_tables import stage_order
from app.services.runs import SHIPPED
from app.services.validation_images import SPLIT, TASKS_SHOWN, UNREADABLE, ValidationImages
from app.site import IMAGES, QUICK, Site, says_refusals, words_for
from app.tabs.compare import CompareTab, show
from app.tabs.forgetting import ForgettingTab
from mtl_core.runs.run_directory import Run
from mtl_core.tasks import TASKS

SHOWN = 24  # images in the gallery at first, and how many more a press adds
ANY = ""  # a filter that lets everything through


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
    summary_html = gr.Markdown(elem_id="broken-told", elem_classes="oh-quiet")
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
        if site.validation_images is None or not 0 <= event.index < len(shown):
            raise Refusal("image.not_here")
        row, run = shown[event.index], site.runs.get(run_name)
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


def broken_rows(
    site: Site,
    run_name: str | None,
    task: str,
    span: str | None,
    kind: str | None,
    of_class: str | None,
    words: Words,
    limit: int = SHOWN,
) -> tuple[Any, ...]:
    """What the tab shows of a run's regressions.

    Args:
        site: the runs, and the images where they are at hand.
        run_name: the chosen run.
        task: whose losses.
        span: "before-after", two stages; the first one there is where it is unknown.
        kind: of loss, or ANY; what this span does not have lets everything through.
        of_class: one of the task's classes, or ANY.
        words: the visitor's language.
        limit: most images in the gallery.

    Returns:
        The filters' choices, a sentence, the kinds explained, the gallery, the button for more of
        it, the table, and the rows in the gallery.
    """
    anything = (words("broken.any"), ANY)
    # One choice at least: what a filter without any holds would be refused when it is sent back.
    nothing = gr.update(choices=[anything], value=ANY)
    blank = gr.update(visible=False, value=None)
    hidden = gr.update(visible=False)
    if not len(site.runs):
        return nothing, nothing, nothing, words("forgetting.empty"), "", blank, hidden, blank, []
    run = site.runs.get(run_name)
    own = [row for row in run.regressions() if row["task"] == task]
    if not own:
        why = words("broken.none") if run.is_judged else words("broken.not_judged")
        return nothing, nothing, nothing, why, "", blank, hidden, blank, []
    spans = sorted({(row["before"], row["after"]) for row in own}, key=lambda s: (s[0] - s[1], s))
    span_choices = [(words("broken.from_to", before=a, after=b), f"{a}-{b}") for a, b in spans]
    chosen_span = span if span in dict(span_choices).values() else span_choices[0][1]
    own = [row for row in own if f"{row['before']}-{row['after']}" == chosen_span]
    kinds = sorted({name for row in own for name in row["kinds"]})
    classes = {name for row in own for name in row["classes"]}
    chosen_kind = kind if kind in kinds else ANY
    # A class that lost nothing may be asked for, and has no images then.
    known = run.manifest.get("class_names", {}).get(task, [])
    chosen_class = of_class if of_class in known else ANY
    classes |= {chosen_class} - {ANY}
    rows = [
        row
        for row in own
        if (not chosen_kind or chosen_kind in row["kinds"])
        and (not chosen_class or chosen_class in row["classes"])
    ]
    filters = (
        gr.update(choices=span_choices, value=chosen_span),
        gr.update(
            choices=[anything, *((words(f"broken.{key_of(k)}"), k) for k in kinds)],
            value=chosen_kind,
        ),
        gr.update(
            choices=[anything, *((words.class_name(name), name) for name in sorted(classes))],
            value=chosen_class,
        ),
    )
    listed = gr.update(visible=True, value=table(rows, words))
    count, explained = words("broken.count", count=len(rows)), kind_explanations(task, kinds, words)
    first = rows[:limit]
    images, missing = images_of(site.validation_images, run, own, first, words)
    if missing:
        reason = missing_reason(run, site.runs.name_of(run), task, missing, words)
        return *filters, f"{count} {reason}", explained, blank, hidden, listed, []
    gallery = gr.update(visible=True, value=images, selected_index=None)
    further = gr.update(visible=len(rows) > limit)
    return *filters, f"{count} {words('broken.click')}", explained, gallery, further, listed, first


def images_of(
    validation_images: ValidationImages | None,
    run: Run,
    own: list[dict[str, Any]],
    first: list[dict[str, Any]],
    words: Words,
) -> tuple[list[tuple[np.ndarray, str]], str | None]:
    """Small images with their captions, or why there are none: a sentence's key.

    One bad file leaves the list without images, and never the page without its words.

    Args:
        validation_images: the images, where they are at hand.
        run: whose losses.
        own: all rows of a task between two stages.
        first: those of them that are drawn.
        words: the visitor's language.
    """
    if validation_images is None:
        return [], "broken.no_data"
    try:
        missing = validation_images.lacks(run, own)
        if missing:
            return [], missing
        return [(validation_images.thumbnail(run, row), caption(row, words)) for row in first], None
    except UNREADABLE as error:
        print(f"The images of {run.name} are not shown: {error}")
        return [], "broken.damaged"


def missing_reason(run: Run, name: str, task: str, why: str, words: Words) -> str:
    """Whose images are missing, why (a sentence's key), and what brings them, if anything does.

    A command names a shipped run by its place in the project, one from the Hub by its id, and any
    other one as RUN: where that lies on the host is not told.
    """
    measured = run.manifest.get("data_fingerprint", {}).get(task, {}).get("eval", {})
    split = measured.get("split", SPLIT)
    if split != SPLIT:  # whatever else is missing, this page would not show them
        told = {"run": name, "task": words.task(task), "split": split, "shown": SPLIT}
        return words("broken.other_split", **told)
    reason_words = words(why, run=name, task=words.task(task))
    shipped = run.path.parent.resolve() == SHIPPED
    from_hub = "/" in run.name
    if why == "broken.damaged":  # no command mends a file
        return reason_words
    if why == "broken.no_predictions" and from_hub:
        return f"{reason_words} {words('broken.remedy_hub', run=run.name)}"
    if why == "broken.no_predictions":
        place = f"assets/runs/{run.path.name}" if shipped else "RUN"
        command = f"python -m training.rescore --run {place} --data DIR"
        remedy = words("broken.remedy_predictions", command=command)
    else:
        # The page finds the shipped runs by itself; another must be named again.
        named = "" if shipped else f" --run {run.name if from_hub else 'RUN'}"
        remedy = words("broken.remedy", command=f"python app.py{named} --data DIR")
    what_run = "" if shipped or from_hub else f" {words('broken.remedy_run')}"
    return f"{reason_words} {remedy}{what_run}"


def key_of(kind: str) -> str:
    """A kind of loss as it stands in the keys of its words: "lost box" -> "lost_box"."""
    return kind.replace(" ", "_")


def kind_explanations(task: str, kinds: Sequence[str], words: Words) -> str:
    """What each kind of loss means and how it is counted, as HTML."""
    if not kinds:
        return ""
    told = "".join(
        f"<div><dt>{escape(words(f'broken.{key_of(kind)}'))}</dt>"
        f"<dd>{escape(words(f'kind.{key_of(kind)}'))}</dd></div>"
        for kind in kinds
    )
    unit = escape(words(f"kind.unit_{TASKS.infos[task].kind}"))
    return f"<dl class='oh-kinds'>{told}</dl><p class='oh-quiet oh-small'>{unit}</p>"


def amounts(row: dict[str, Any], words: Words) -> str:
    """What an image lost, in words: masks as shares of the image, boxes counted."""
    return ", ".join(
        f"{words(f'broken.{key_of(kind)}')} "
        + (f"{amount:.0f}" if TASKS.infos[row["task"]].kind == "boxes" else percent(amount))
        for kind, amount in row["kinds"].items()
    )


def caption(row: dict[str, Any], words: Words) -> str:
    """Under a small image: the classes and what they lost."""
    # Background is what masks are flooded from: it says nothing of what an image shows.
    named = [name for name in row["classes"] if not is_background(name)]
    classes = ", ".join(words.class_name(name) for name in named)
    return f"{classes}: {amounts(row, words)}" if classes else amounts(row, words)


def table(rows: list[dict[str, Any]], words: Words) -> pd.DataFrame:
    """All rows, largest loss first."""
    return pd.DataFrame(
        [
            (
                row["image"],
                percent(row["loss"]),
                amounts(row, words),
                ", ".join(readable(words.class_name(name)) for name in row["classes"]),
            )
            for row in rows
        ],
        columns=[words(f"broken.column_{name}") for name in ("image", "loss", "kinds", "classes")],
    )
