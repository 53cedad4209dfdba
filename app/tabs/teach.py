"""Teach it now: a small network learns three stages while a visitor watches."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import gradio as gr

from app.components.sides import left_choices
from app.components.teaching_panel import scenes_html, status_html
from app.figures.teaching_curves import teaching_curves
from app.language import Refusal, Words
from app.results.run_words import run_choices
from app.results.teaching_points import points
from app.services.teaching import METHODS, Choice
from app.site import QUICK, Site, says_refusals, visitor_of, words_for
from app.tabs.compare import CompareTab
from mtl_core.presets import quick
from mtl_core.runs.run_directory import Run

ORDERS = [",".join(order) for order in permutations(stage.task for stage in quick().stages)]
_TICK_S = 0.8


def build_teach(
    site: Site,
    demo: gr.Blocks,
    tab: gr.Tab,
    run_choice: gr.Radio,
    header: gr.HTML,
    compare_tab: CompareTab,
    t: gr.I18n,
) -> None:
    """Lay the tab out and connect it."""
    queue = site.teaching
    queue.removed = site.forget_run
    gr.Markdown(t("teach.intro"), elem_classes="oh-quiet")
    method = gr.Radio(
        [(t(f"method.{name}"), name) for name in METHODS],
        value=METHODS[0],
        label=t("teach.method"),
        elem_id="teach-method",
    )
    with gr.Row(equal_height=True):
        strength = gr.Slider(
            0.25,
            4,
            value=1,
            step=0.25,
            label=t("teach.strength"),
            interactive=False,
            elem_id="teach-strength",
            scale=3,
        )
        order = gr.Dropdown(
            order_choices(Words("en")),
            value=ORDERS[0],
            label=t("teach.order"),
            elem_id="teach-order",
            scale=4,
        )
        start = gr.Button(
            t("teach.start"), variant="primary", scale=1, min_width=90, elem_id="teach-start"
        )
        stop = gr.Button(
            t("teach.stop"), interactive=False, scale=1, min_width=90, elem_id="teach-stop"
        )
    with gr.Row(equal_height=True):
        status = gr.HTML(status_html(None, 0, Words("en")), elem_id="teach-status")
        opening = gr.Button(
            t("teach.open"), visible=False, scale=0, min_width=260, elem_id="teach-open"
        )
    with gr.Row():
        scenes = gr.HTML(scenes_html(None, Words("en")), elem_id="teach-scenes")
        curves = gr.Plot(show_label=False, container=False, visible=False, elem_id="teach-curves")
    timer = gr.Timer(_TICK_S, active=False)
    # What the visitor sees: of which training, how much it had said, how many scores.
    seen = gr.State(("", 0, 0))

    def shown(visitor: str, words: Words, known: tuple[str, int, int]) -> tuple[Any, ...]:
        training, before = queue.latest(visitor), queue.before(visitor)
        place = queue.place(visitor)
        if training is None:
            html = status_html(None, 0, words), scenes_html(None, words)
            return *html, *_buttons(False, False), gr.skip(), gr.update(active=False), known
        over = training.over
        now = str(training.out), training.version, len(training.scores)
        figure: Any = gr.skip()
        if now[0] != known[0] or now[2] != known[2]:
            pair = [run and points(run.scores, run.steps) for run in (training, before)]
            methods = [
                words(f"method.{run.choice.method}") if run else "" for run in (training, before)
            ]
            drawn = teaching_curves(
                pair[0], pair[1], training.choice.order, (methods[0], methods[1]), words
            )
            figure = gr.update(value=drawn, visible=True)
        buttons = _buttons(not over, training.can_be_opened)
        if now == known and training.status != "waiting":
            return *[gr.skip()] * 6, gr.update(active=not over), known
        html = status_html(training, place, words), scenes_html(training, words)
        return *html, *buttons, figure, gr.update(active=not over), now

    @says_refusals
    def begin(method: str, strength: float, order: str, request: gr.Request) -> tuple[Any, ...]:
        visitor = visitor_of(request)
        queue.start(visitor, Choice(method, float(strength), tuple(order.split(","))))
        return shown(visitor, words_for(request), ("", 0, 0))

    @says_refusals
    def end(request: gr.Request) -> None:
        queue.stop(visitor_of(request))

    @says_refusals
    def tick(known: tuple[str, int, int], request: gr.Request) -> tuple[Any, ...]:
        return shown(visitor_of(request), words_for(request), known)

    @says_refusals
    def relabel(request: gr.Request) -> tuple[Any, ...]:
        words = words_for(request)
        choices = gr.update(choices=order_choices(words))
        return choices, *shown(visitor_of(request), words, ("", 0, 0))

    @says_refusals
    def open_it(request: gr.Request) -> tuple[Any, Any]:
        visitor, words = visitor_of(request), words_for(request)
        training = queue.latest(visitor)
        if training is None or not training.can_be_opened:
            raise Refusal("teach.not_done")
        name = site.runs.add(Run(training.out), visitor)
        gr.Info(words("open.done", name=name), duration=4, title=words("toast.done"))
        sides = gr.update(choices=left_choices(site, words, visitor))
        choices = run_choices(site.runs, words, visitor)
        runs = gr.update(choices=choices, value=name, visible=True)
        return runs, sides

    quietly: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", **QUICK}
    outputs = [status, scenes, start, stop, opening, curves, timer, seen]
    start.click(begin, [method, strength, order], outputs, **quietly)
    stop.click(end, None, None, **quietly)
    timer.tick(tick, seen, outputs, **quietly)
    gr.on([demo.load, header.select], relabel, None, [order, *outputs], **quietly)
    tab.select(queue.warm, None, None, **quietly)
    method.change(
        lambda method: gr.update(interactive=method != METHODS[0]), method, strength, **quietly
    )
    opening.click(open_it, None, [run_choice, compare_tab.left], **quietly).success(
        **compare_tab.follow_run
    )

    def leave(request: gr.Request) -> None:
        queue.leave(visitor_of(request))

    demo.unload(leave)


def order_choices(words: Words) -> list[tuple[str, str]]:
    """Every order of the tasks, as shown and as sent."""
    return [(" → ".join(words.task(task) for task in o.split(",")), o) for o in ORDERS]


def _buttons(trains: bool, opens: bool) -> tuple[Any, ...]:
    again = gr.update(interactive=not trains)
    return again, gr.update(interactive=trains), gr.update(visible=opens)
