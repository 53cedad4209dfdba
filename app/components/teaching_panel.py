"""What is shown of a training: a sentence, the scene as it is now and after every stage."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from html import escape
from typing import Any

from PIL import Image

from app.components.class_legend import legend_html
from app.language import Words
from app.results.percentages import percent
from app.results.teaching_points import first_kept
from app.services.teaching import Training
from mtl_core.data.synthetic.shapes import KIND_NAMES
from mtl_core.data.synthetic.shown_scene import shown_scene


def status_html(training: Training | None, place: int, words: Words) -> str:
    """How far it is, in a sentence, and what became of the first task."""
    if training is None:
        return _said(words("teach.none"))
    if training.status == "waiting":
        return _said(words("teach.waiting", count=place))
    if training.status == "training" and training.scene:
        number, step = training.scene["stage"], training.scene["step"]
        steps, task = training.steps[number - 1], words.task(training.choice.order[number - 1])
        said = words("teach.training", number=number, task=task, step=step, steps=steps)
        if (left_s := training.left_s) is not None:
            said = f"{said} {words('teach.left', minutes=max(1, round(left_s / 60)))}"
    elif training.status == "failed":
        said = words("teach.failed", message=training.message)
    elif training.over:
        said = words(f"teach.{training.status}")
    else:
        said = words("teach.starting")
    return _said(said) + _kept(training, words)


def scenes_html(training: Training | None, words: Words) -> str:
    """The scene as the network sees it now, and as it saw it after every finished stage."""
    meaning = f"<p class='oh-quiet oh-small'>{escape(words('teach.colors'))}</p>"
    shapes = meaning + legend_html(KIND_NAMES, words)
    if training is None or training.scene is None:
        return _figure(_untouched(), words("teach.scene_untouched")) + shapes
    now = _figure(training.scene["image"], _named(words("teach.scene_now"), training.scene, words))
    after = [
        _figure(
            scene["image"],
            _named(words("teach.scene_after", number=scene["stage"]), scene, words),
        )
        for scene in training.scenes
    ]
    return now + shapes + f"<div class='oh-teach-after'>{''.join(after)}</div>"


def _kept(training: Training, words: Words) -> str:
    found = first_kept(training.scores)
    if found is None or found[1] <= 0:
        return ""
    task, base, last = found
    values: dict[str, Any] = {
        "task": words.task(task),
        "base": f"{base:.2f}",
        "last": f"{last:.2f}",
    }
    if last > base:
        return _said(
            words("teach.gained", **values, share=percent(last / base - 1)), "oh-teach-kept"
        )
    return _said(words("teach.kept", **values, share=percent(last / base)), "oh-teach-kept")


def _named(words_before: str, scene: dict[str, Any], words: Words) -> str:
    if "class" not in scene:
        return words_before
    return f"{words_before}: {words.class_name(scene['class'])} {percent(scene['share'])}"


def _said(text: str, kind: str = "oh-plain") -> str:
    return f"<p class='{kind}'>{escape(text)}</p>"


def _figure(image: str, caption: str) -> str:
    source = f"data:image/jpeg;base64,{image}"
    caption = escape(caption)
    return (
        f"<figure class='oh-teach-scene'><img src='{source}' alt='{caption}'>"
        f"<figcaption>{caption}</figcaption></figure>"
    )


@lru_cache
def _untouched() -> str:
    buffer = io.BytesIO()
    Image.fromarray(shown_scene()).save(buffer, "JPEG", quality=85)
    return base64.b64encode(buffer.getvalue()).decode()
