"""Compare: an image, every stage's answer, and any two of them against each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
from gradio.processing_utils import save_bytes_to_cache
from PIL import Image

from app.components.comparison import changed, said_by, side_choices, sides_after
from app.components.examples_row import example_alt, examples_row
from app.components.upload import image_upload, uploaded_path
from app.language import Refusal, Sentence, Words
from app.results.downloads import png, saved_file
from app.results.overlay import overlay
from app.services.engines import StageAnswer
from app.services.image_reading import read_upload
from app.services.viewed_image import ViewedImage, example_images, is_copy
from app.site import IMAGES, QUICK, Site, says_refusals, words_for
from app.viewer import stage_viewer
from app.viewer.payload import viewer_payload
from mtl_core.decoding.boxes import SHOWN_SCORE

# A visitor who leaves a tab open must not keep an image in memory for ever.
LOOK_SECONDS = 1800
_SAVE_JS = """(file) => {
  if (!file || !file.href) return;
  const a = document.createElement("a");
  a.href = file.href; a.download = file.name;
  document.body.append(a); a.click(); a.remove();
}"""


@dataclass(frozen=True)
class CompareTab:
    """The components that other tabs and the page's first load write to."""

    image: gr.Image
    examples: gr.HTML
    viewer: gr.HTML
    viewed: gr.State
    left: gr.Dropdown
    right: gr.Dropdown
    slider: gr.ImageSlider
    changes: gr.HTML
    timing: gr.Markdown
    follow_run: dict[str, Any]
    compare_sides: dict[str, Any]


def build_compare(site: Site, run_choice: gr.Radio, header: gr.HTML, t: gr.I18n) -> CompareTab:
    """Lay the tab out and connect it."""
    viewed = gr.State(None, time_to_live=LOOK_SECONDS)
    with gr.Row(elem_classes="oh-compare"):
        with gr.Column(scale=1, min_width=260, elem_classes="oh-input"):
            image = image_upload(
                label=t("image"),
                sources=["upload", "clipboard", "webcam"],
                height=240,
                placeholder=t("image.placeholder"),
                elem_id="image",
                # Not translated by the framework, and an update of it would make the component
                # anew, which then no longer hands over files that it cannot read.
                alt_text=" · ".join(Words(tag)("image.alt") for tag in ("en", "zh-TW")),
                buttons=[],
            )
            examples = examples_row()
            timing = gr.Markdown(elem_classes="oh-quiet oh-small", elem_id="timing")
        with gr.Column(scale=4, min_width=320):
            viewer = stage_viewer()
    with gr.Column(elem_classes="oh-against"):
        gr.Markdown(t("against.title"), elem_classes="oh-title")
        gr.Markdown(t("against.intro"), elem_classes="oh-quiet")
        with gr.Row(elem_classes="oh-sides"):
            left = gr.Dropdown(label=t("against.left"), elem_id="left", scale=4)
            swap = gr.Button("⇄", elem_id="swap", scale=0, min_width=56)
            right = gr.Dropdown(label=t("against.right"), elem_id="right", scale=4)
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                slider = gr.ImageSlider(
                    interactive=False,
                    show_label=False,
                    max_height=620,
                    elem_id="against",
                    buttons=["fullscreen"],
                )
            with gr.Column(scale=2, min_width=280):
                gr.Markdown(t("changes.title"), elem_classes="oh-title")
                changes = gr.HTML(elem_id="changes")
    to_save = gr.JSON(visible="hidden", elem_id="to-save")

    @says_refusals
    def take_image(
        path: str | None,
        viewed: ViewedImage | Sentence | None,
        run_name: str | None,
        request: gr.Request,
    ) -> tuple | dict:
        words = words_for(request)
        if path is None:
            return nothing_shown(None, words)
        try:
            # A request may name any path: only what was uploaded is opened.
            sent = uploaded_path(path)
            if isinstance(viewed, ViewedImage) and viewed.placed and is_copy(sent, viewed.placed):
                return gr.skip()  # the page itself has just put it there
            taken = ViewedImage(read_upload(sent))
        except Refusal as refusal:
            gr.Warning(refusal.sentence.said(words), title=words("toast.warning"))
            return nothing_shown(refusal.sentence, words)
        return show(site, taken, run_name, words)

    @says_refusals
    def take_example(run_name: str | None, event: gr.EventData, request: gr.Request) -> tuple:
        name = str(event._data["value"])
        if name not in example_images():
            raise Refusal("image.not_here")
        path = example_images()[name]
        viewed = ViewedImage(read_upload(path), example=name, placed=path)
        return str(path), *show(site, viewed, run_name, words_for(request))

    def looked_at(
        viewed: ViewedImage | Sentence | None,
        found: ViewedImage | None,
        run_name: str | None,
        words: Words,
    ) -> tuple[ViewedImage | Sentence | None, dict[str, Any], str]:
        if found is None:
            return nothing_shown(viewed if isinstance(viewed, Sentence) else None, words)
        return show(site, found, run_name, words)

    @says_refusals
    def switch_run(
        viewed: ViewedImage | Sentence | None,
        path: str | None,
        run_name: str | None,
        left: str | None,
        right: str | None,
        request: gr.Request,
    ) -> tuple:
        sides = sides_after(site, run_name, left, right)
        shown = looked_at(viewed, look_again(viewed, path), run_name, words_for(request))
        return *shown, *sides

    @says_refusals
    def set_against(
        viewed: ViewedImage | Sentence | None,
        path: str | None,
        left: str | None,
        right: str | None,
        request: gr.Request,
    ) -> tuple:
        said = said_by(site, found := look_again(viewed, path), left, right)
        if found is None or not said:
            return None, ""
        drawn = (overlay(found.image, side, score_threshold=SHOWN_SCORE) for side in said)
        # As files of our own: Gradio packs them six times as long to a little smaller ones.
        sides = tuple(_cached(side, slider.GRADIO_CACHE) for side in drawn)
        return sides, changed(said, words_for(request))

    @says_refusals
    def say_again(
        viewed: ViewedImage | Sentence | None,
        path: str | None,
        run_name: str | None,
        left: str | None,
        right: str | None,
        request: gr.Request,
    ) -> tuple:
        words, found = words_for(request), look_again(viewed, path)
        said = said_by(site, found, left, right)
        choices = gr.update(choices=side_choices(site, words))
        return *looked_at(viewed, found, run_name, words), choices, choices, changed(said, words)

    @says_refusals
    def save(
        viewed: ViewedImage | Sentence | None,
        path: str | None,
        event: gr.EventData,
        request: gr.Request,
    ) -> dict[str, str]:
        found = look_again(viewed, path)
        if found is None:
            raise Refusal("save.no_image")
        asked = event._data
        # What is seen is saved, even while another run's answer is on its way.
        name, number = str(asked["run"]), int(asked["stage"])
        if found.truth is not None and number == found.truth.number:
            answer = found.truth
        else:
            answer = found.stage(name, number, site.runs, site.engines)
        return saved_file(
            str(asked["kind"]),
            found.image,
            answer.prediction,
            f"{found.example or 'image'}-{name}-stage{answer.number}",
            opacity=float(asked["opacity"]),
            score_threshold=float(asked["threshold"]),
            boxes=bool(asked["boxes"]),
            hidden={str(name) for name in asked["hidden"]},
        )

    shown = [viewed, viewer, timing]
    compared: dict[str, Any] = {
        "fn": set_against,
        "inputs": [viewed, image, left, right],
        "outputs": [slider, changes],
        "api_visibility": "private",
        "show_progress": "minimal",
        **IMAGES,
    }
    private: dict[str, Any] = {"api_visibility": "private", "show_progress_on": viewer, **IMAGES}
    # Files, webcam, clipboard and the page's own examples all end in a change, and only there:
    # a snapshot fires nothing else, and clearing fires its other events before the value is gone.
    image.change(take_image, [image, viewed, run_choice], shown, **private).success(**compared)
    examples.select(take_example, [run_choice], [image, *shown], trigger_mode="multiple", **private)
    follow = {
        "fn": switch_run,
        "inputs": [viewed, image, run_choice, left, right],
        "outputs": [*shown, left, right],
        **private,
    }
    # The last choice counts, of a run or of a language, however many were made while an answer was
    # on its way.
    run_choice.input(**follow, trigger_mode="always_last").success(**compared)
    gr.on([left.input, right.input], **compared, trigger_mode="always_last")
    header.select(
        say_again,
        [viewed, image, run_choice, left, right],
        [*shown, left, right, changes],
        trigger_mode="always_last",
        **private,
    )
    # The viewer's link to this view also names the two sides.
    gr.on(
        [left.change, right.change],
        None,
        [left, right],
        None,
        js="(left, right) => { window.oneHeadSides = { left, right }; }",
        api_visibility="private",
    )
    swap.click(
        lambda a, b: (b, a), [left, right], [left, right], api_visibility="private", **QUICK
    ).success(**compared)
    viewer.download(save, [viewed, image], to_save, **private).success(
        None, to_save, None, js=_SAVE_JS, api_visibility="private"
    )
    return CompareTab(
        image, examples, viewer, viewed, left, right, slider, changes, timing, follow, compared
    )


def nothing_shown(
    refused: Sentence | None, words: Words
) -> tuple[Sentence | None, dict[str, Any], str]:
    """In place of a look, an answer and its time: why there is none, or what to do."""
    message = refused.said(words) if refused else words("viewer.empty")
    return refused, {"message": message}, ""


def look_again(viewed: ViewedImage | Sentence | None, path: str | None) -> ViewedImage | None:
    """The look, or after a long pause one made anew of the image that still stands there.

    There is none of an image that was refused.

    Raises:
        Refusal: the image's file has been removed meanwhile.
    """
    if viewed is None and path:
        return ViewedImage(read_upload(uploaded_path(path)))
    return viewed if isinstance(viewed, ViewedImage) else None


def _cached(pixels: np.ndarray, folder: str) -> str:
    """H x W x 3 uint8 -> the path of a PNG in Gradio's cache, which it cleans."""
    return save_bytes_to_cache(png(Image.fromarray(pixels)), "side.png", folder)


def show(
    site: Site, viewed: ViewedImage, run_name: str | None, words: Words, stage: int | None = None
) -> tuple[ViewedImage, dict[str, Any], str]:
    """The look, what the viewer draws of it, and how long it took."""
    run = site.runs.get(run_name)
    name = site.runs.name_of(run)
    answers = viewed.of(name, site.runs, site.engines)
    truth = truth_of(viewed, answers)
    link = {"run": name, "example": viewed.example or "", "annotated": ""}
    # A run without these classes, or one that broke other images, would not open this one.
    if truth and site.validation_images is not None and viewed.annotated is not None:
        task, _, stem = viewed.annotated.partition("/")
        link["annotated"] = (
            viewed.annotated if site.validation_images.opens(run, task, stem) else ""
        )
    alt = example_alt(viewed.example, words) if viewed.example else words("image")
    payload = viewer_payload(
        viewed.image,
        [*answers, *truth],
        words,
        viewed=viewed.key,
        key=f"{viewed.key}-{name}-{words.language}",
        alt=alt,
        link=link,
        stage=stage,
    )
    spent = {"run": name, "total": f"{viewed.spent_ms[name]:.0f}"}
    if len(answers) > 1:
        timing = words("timing", count=len(answers), **spent)
    else:
        timing = words("timing_one", **spent)
    return viewed, payload, timing


def truth_of(viewed: ViewedImage, answers: list[StageAnswer]) -> list[StageAnswer]:
    """What people annotated, where there is something and it speaks of the answers' classes."""
    names = answers[0].prediction.class_names
    known = viewed.truth is not None and viewed.truth.prediction.class_names == names
    return [viewed.truth] if known and viewed.truth is not None else []
