"""Compare: an image, every stage's answer, and another run or stage beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.components.examples_row import example_alt, examples_row
from app.components.grid import first_picked, grid_value, stage_grid
from app.components.lasting_choice import lasting
from app.components.sides import compared, left_choices, left_side, side_of
from app.components.upload import image_upload, uploaded_path
from app.language import Refusal, Sentence, Words
from app.results.downloads import saved_animation, saved_file
from app.results.run_words import method_name, run_choices, run_description
from app.services.engines import StageAnswer
from app.services.viewed_image import ViewedImage, example_images, example_view, is_copy
from app.site import IMAGES, QUICK, Site, says_refusals, visitor_of, words_for
from app.viewer import stage_viewer
from app.viewer.payload import Side, viewer_payload
from mtl_core.types import Boxes, LabelMap

Shown = ViewedImage | Sentence | None  # an image, why there is none, or not yet any
# A visitor who leaves a tab open must not keep an image in memory for ever.
VIEWED_SECONDS = 1800
# What a hand chose last; the viewer passes over answers to anything else.
_WANTED = "(run, left) => { window.oneHeadWanted = { run, left: left || 'none' }; }"
FREE = "(...given) => { window.oneHeadWanted = {}; return given; }"
_SHOWN = (
    "() => { const { run, left } = window.oneHeadView; return [run, left === 'none' ? '' : left]; }"
)
# What stands left goes to the right and the other way round; what is pinned to a stage stays so.
_SWAPPED = """(viewed, path, run, left) => {
  const runs = [...document.querySelectorAll("#run input")].map((input) => input.value);
  const pinned = !runs.includes(left), to = pinned ? (left || "").replace(/:\\d+$/, "") : left;
  if (!runs.includes(to)) return [viewed, path, run, left, null];
  const { stage } = window.oneHeadView, beside = pinned ? `${run}:${stage}` : run;
  window.oneHeadWanted = { run: to, left: beside };
  return [viewed, path, to, beside, pinned ? Number(left.split(":").at(-1)) : null];
}"""
_SAVE_JS = "(file) => { if (file && file.href) window.oneHeadSave(file.href, file.name); }"


@dataclass(frozen=True)
class CompareTab:
    """The components that other tabs and the page's first load write to."""

    image: gr.Image
    examples: gr.HTML
    viewer: gr.HTML
    viewed: gr.State
    left: gr.Dropdown
    timing: gr.Markdown
    follow_run: dict[str, Any]


def build_compare(site: Site, run_choice: gr.Radio, header: gr.HTML, t: gr.I18n) -> CompareTab:
    """Lay the tab out and connect it."""
    viewed = gr.State(None, time_to_live=VIEWED_SECONDS)
    with gr.Row(elem_classes="oh-compare"):
        with gr.Column(scale=5, min_width=320):
            viewer = stage_viewer()
        with gr.Column(scale=1, min_width=230, elem_classes="oh-input"):
            with gr.Row(elem_classes="oh-sides"):
                left = lasting(
                    gr.Dropdown(label=t("sides.left"), elem_id="left", scale=1, min_width=120)
                )
                swap = gr.Button(t("sides.swap"), size="sm", elem_id="swap", scale=0, min_width=44)
            image = image_upload(
                label=t("image.label"),
                sources=["upload", "clipboard", "webcam"],
                height=170,
                placeholder=t("image.placeholder"),
                elem_id="image",
                # Not translated by the framework, and an update of it would make the component
                # anew, which then no longer hands over files that it cannot read.
                alt_text=" · ".join(Words(tag)("image.alt") for tag in ("en", "zh-TW")),
                buttons=[],
            )
            examples = examples_row()
            timing = gr.Markdown(elem_classes="oh-quiet oh-small", elem_id="timing")
    draw_grid = gr.Button(t("grid.button"), elem_id="draw-grid", size="sm")
    picked = lasting(
        gr.CheckboxGroup(
            label=t("grid.runs"), show_select_all=True, visible=False, elem_id="grid-runs"
        )
    )
    grid = stage_grid()
    to_save = gr.JSON(visible="hidden", elem_id="to-save")
    at = gr.Number(visible="hidden", precision=0)

    @says_refusals
    @site.turns.taken
    def take_image(
        path: str | None, viewed: Shown, run_name: str | None, left: str | None, request: gr.Request
    ) -> tuple[Any, ...] | dict[str, Any]:
        words = words_for(request)
        if path is None:
            return nothing_shown(None, words)
        try:
            # A request may name any path: only what was uploaded is opened.
            sent = uploaded_path(path)
            if isinstance(viewed, ViewedImage) and viewed.placed and is_copy(sent, viewed.placed):
                unchanged: dict[str, Any] = gr.skip()
                return unchanged  # the page itself has just put it there
            # Of two examples chosen quickly the first may come once more, as if it were uploaded.
            known = [name for name, file in example_images().items() if is_copy(sent, file)]
            taken = example_view(known[0]) if known else ViewedImage.read(sent)
        except Refusal as refusal:
            gr.Warning(refusal.sentence.said(words), title=words("toast.warning"))
            return nothing_shown(refusal.sentence, words)
        return show(site, taken, run_name, left, words)

    @says_refusals
    @site.turns.taken
    def take_example(
        run_name: str | None, left: str | None, event: gr.EventData, request: gr.Request
    ) -> tuple[Any, ...]:
        name = str(event._data["value"])
        if name not in example_images():
            raise Refusal("image.not_here")
        viewed = example_view(name)
        return str(viewed.placed), *show(site, viewed, run_name, left, words_for(request))

    def again(
        viewed: Shown,
        path: str | None,
        run_name: str | None,
        left: str | None,
        words: Words,
        stage: int | None = None,
    ) -> tuple[Shown, dict[str, Any], str]:
        found = view_again(viewed, path)
        if found is None:
            return nothing_shown(viewed if isinstance(viewed, Sentence) else None, words)
        return show(site, found, run_name, left, words, stage)

    @says_refusals
    @site.turns.taken
    def other_sides(
        viewed: Shown,
        path: str | None,
        run_name: str | None,
        left: str | None,
        stage: int | None,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        return again(viewed, path, run_name, left, words_for(request), stage)

    @says_refusals
    @site.turns.taken
    def every_stage(
        viewed: Shown, path: str | None, names: list[str], request: gr.Request
    ) -> dict[str, Any]:
        found = view_again(viewed, path)
        if found is None:
            raise Refusal("save.no_image")
        return grid_value(site, found, words_for(request), names, visitor_of(request))

    @says_refusals
    def offered(
        run_name: str | None, left: str | None, names: list[str], request: gr.Request
    ) -> dict[str, Any]:
        visitor = visitor_of(request)
        choices = run_choices(site.runs, words_for(request), visitor)
        # The address names the runs of a grid that was shared.
        asked = names or str(request.query_params.get("grid", "")).split(",")
        known = [name for _, name in choices if name in asked]
        chosen = known or first_picked(site, run_name, left, visitor)
        return gr.update(choices=choices, value=chosen, visible=len(choices) > 1)

    @says_refusals
    @site.turns.taken
    def from_grid(
        viewed: Shown,
        path: str | None,
        run_name: str | None,
        left: str | None,
        event: gr.EventData,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        asked = event._data["value"]
        name, number = str(asked["run"]), int(asked["number"])
        stage = None
        if asked["side"] == "left":
            left = side_of(name, number)
        else:
            run_name, stage = name, number
        return again(viewed, path, run_name, left, words_for(request), stage)

    @says_refusals
    @site.turns.taken
    def say_again(
        viewed: Shown, path: str | None, run_name: str | None, left: str | None, request: gr.Request
    ) -> tuple[Any, ...]:
        words = words_for(request)
        choices = gr.update(choices=left_choices(site, words, visitor_of(request)))
        return *again(viewed, path, run_name, left, words), choices

    @says_refusals
    @site.turns.taken
    def save(
        viewed: Shown, path: str | None, event: gr.EventData, request: gr.Request
    ) -> dict[str, str]:
        found = view_again(viewed, path)
        if found is None:
            raise Refusal("save.no_image")
        asked = event._data
        # What is seen is saved, even while another run's answer is on its way.
        name, number = str(asked["run"]), int(asked["stage"])
        if asked["kind"] == "animation":
            runs = "-".join(str(run) for run in asked["runs"])
            frames = [str(frame) for frame in asked["frames"]]
            return saved_animation(frames, f"onehead-{found.picture}-{runs}")
        if found.truth is not None and number == found.truth.number:
            answer = found.truth
        else:
            answer = found.stage(name, number, site.runs, site.engines)
        kind, said = str(asked["kind"]), answer.prediction
        return saved_file(
            kind,
            found.image,
            # The overlay is a picture to look at; numbers are in the pixels of the visitor's file.
            said
            if kind == "overlay"
            else found.in_sent_frame(said, LabelMap if kind == "mask" else Boxes),
            f"onehead-{found.picture}-{name}-stage{answer.number}",
            opacity=float(asked["opacity"]),
            score_threshold=float(asked["threshold"]),
            boxes=bool(asked["boxes"]),
            hidden={str(name) for name in asked["hidden"]},
            name=found.file_name,
            source={"run": name, "stage": answer.number},
        )

    shown = [viewed, viewer, timing]
    asked = [viewed, image, run_choice, left]
    private: dict[str, Any] = {"api_visibility": "private", "show_progress_on": viewer, **IMAGES}
    # Files, webcam, clipboard and the page's own examples all end in a change, and only there:
    # a snapshot fires nothing else, and clearing fires its other events before the value is gone.
    image.change(take_image, [image, viewed, run_choice, left], shown, **private)
    examples.select(
        take_example, [run_choice, left], [image, *shown], trigger_mode="multiple", **private
    )
    # The stage is named by a swap alone.
    follow = {"fn": other_sides, "inputs": [*asked, at], "outputs": shown, **private}
    # The last choice counts, of a run or of a language, however many were made while an answer was
    # on its way.
    latest: dict[str, Any] = {"trigger_mode": "always_last"}
    here: dict[str, Any] = {"fn": None, "api_visibility": "private"}
    gr.on([run_choice.input, left.input], inputs=[run_choice, left], js=_WANTED, **here)
    viewer.input(inputs=None, outputs=[run_choice, left], js=_SHOWN, **here)
    gr.on([run_choice.input, left.input], **follow, **latest)
    header.select(say_again, asked, [*shown, left], **private, **latest)
    swap.click(**follow, js=_SWAPPED).failure(js=FREE, **here)
    drawn: dict[str, Any] = {
        "fn": every_stage,
        "inputs": [viewed, image, picked],
        "outputs": grid,
        "api_visibility": "private",
        "show_progress_on": draw_grid,
        **IMAGES,
    }
    # What is picked is filled in once; a tick redraws the grid alone.
    draw_grid.click(
        offered,
        [run_choice, left, picked],
        picked,
        api_visibility="private",
        show_progress="hidden",
        **QUICK,
    ).success(**drawn)
    picked.input(**drawn, **latest)
    taken = grid.select(from_grid, asked, shown, **private)
    taken.success(js="() => document.querySelector('.ov-main').scrollIntoView()", **here)
    taken.failure(js=FREE, **here)
    viewer.download(save, [viewed, image], to_save, **private).success(
        None, to_save, None, js=_SAVE_JS, api_visibility="private"
    )
    return CompareTab(image, examples, viewer, viewed, left, timing, follow | {"js": FREE})


def nothing_shown(
    refused: Sentence | None, words: Words
) -> tuple[Sentence | None, dict[str, Any], str]:
    """In place of an image, an answer and its time: why there is none, or what to do."""
    message = refused.said(words) if refused else words("viewer.empty")
    return refused, {"message": message}, ""


def view_again(viewed: Shown, path: str | None) -> ViewedImage | None:
    """The viewed image, or after a long pause one made anew of the image that still stands there.

    There is none of an image that was refused.

    Raises:
        Refusal: the image's file has been removed meanwhile.
    """
    if viewed is None and path:
        return ViewedImage.read(uploaded_path(path))
    return viewed if isinstance(viewed, ViewedImage) else None


def show(
    site: Site,
    viewed: ViewedImage,
    run_name: str | None,
    left: str | None,
    words: Words,
    stage: int | None = None,
) -> tuple[ViewedImage, dict[str, Any], str]:
    """The viewed image, what the viewer draws of it, and how long it took."""
    run = site.runs.get(run_name)
    name = site.runs.name_of(run)
    beside = left_side(site, viewed, left, name, words)
    answers = viewed.of(name, site.runs, site.engines)
    truth = truth_of(viewed, answers)
    link = {"run": name, "left": left or "none", "example": viewed.example or "", "annotated": ""}
    # A run without these classes, or one that broke other images, would not open this one.
    if truth and site.validation_images is not None and viewed.annotated is not None:
        task, _, stem = viewed.annotated.partition("/")
        link["annotated"] = (
            viewed.annotated if site.validation_images.opens(run, task, stem) else ""
        )
    alt = example_alt(viewed.example, words) if viewed.example else words("image.yours")
    right = Side(name, method_name(run, words), [*answers, *truth])
    payload = viewer_payload(
        viewed.image,
        right,
        words,
        viewed=viewed.key,
        key=f"{viewed.key}-{name}-{left}-{words.language}",
        alt=alt,
        link=link,
        stage=stage,
        picture=viewed.picture,
        **compared(site, beside, right, words),
    )
    timing = words(
        "timing" if len(answers) > 1 else "timing_one",
        how=run_description(run, words),
        run=name,
        count=len(answers),
        total=f"{viewed.spent_ms[name]:.0f}",
    )
    return viewed, payload, timing


def truth_of(viewed: ViewedImage, answers: list[StageAnswer]) -> list[StageAnswer]:
    """What people annotated, where there is something and it speaks of the answers' classes."""
    names = answers[0].prediction.class_names
    known = viewed.truth is not None and viewed.truth.prediction.class_names == names
    return [viewed.truth] if known and viewed.truth is not None else []
