"""All stages' answers to one image, packed for the viewer in the browser. Pure functions."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from app.language import Words
from app.palette import class_key, color_of, ink_on, is_background
from app.results.change_words import one_line
from app.results.changes import compare, mask_shares
from app.services.engines import StageAnswer
from app.services.image_reading import bounded
from mtl_core.decoding.boxes import SHOWN_SCORE
from mtl_core.tasks import TASKS
from mtl_core.types import Prediction

# Wide enough for a large screen's hero image, small enough for a phone's connection.
VIEW_LONG_SIDE_PX = 1024
# Specks of a class are drawn, but do not earn a place in the legend.
SMALLEST_SHARE = 0.002


def viewer_payload(
    image: np.ndarray,
    answers: Sequence[StageAnswer],
    words: Words,
    *,
    viewed: str,
    key: str,
    alt: str,
    link: dict[str, str],
    stage: int | None = None,
) -> dict[str, Any]:
    """What the viewer needs to draw every stage without asking again; plain JSON types.

    Args:
        image: H x W x 3 uint8 RGB.
        answers: one per stage, in order.
        words: the visitor's language.
        look: the same for all answers to one image.
        key: changes whenever the content does.
        alt: the image in words.
        link: query parameters that open the page in this state.
        stage: the stage to show first; None keeps the one being looked at.
    """
    small = bounded(image, VIEW_LONG_SIDE_PX)
    height, width = small.shape[:2]
    scale = width / image.shape[1]
    names = answers[-1].prediction.class_names
    trained = {task for answer in answers for task in answer.trained}
    stages = []
    for index, answer in enumerate(answers):
        before = answers[index - 1].prediction if index else None
        stages.append(_stage(answer, before, (width, height), scale, words))
    return {
        "look": viewed,
        "key": key,
        "language": words.language,
        "width": width,
        "height": height,
        "image": _data_url(small, "JPEG", quality=88),
        "alt": alt,
        "link": link,
        "stage": stage,
        "tasks": [task for task in TASKS if task in trained],
        "classes": {task: [_class(n, words) for n in names.get(task, [])] for task in TASKS},
        "stages": stages,
        "words": {k: v for k, v in words.table.items() if k.startswith(("viewer.", "task."))},
    }


def _stage(
    answer: StageAnswer,
    before: Prediction | None,
    size_wh: tuple[int, int],
    scale: float,
    words: Words,
) -> dict[str, Any]:
    said = answer.prediction
    boxes = mask = shares = probabilities = None
    if said.boxes is not None:
        rows = zip(said.boxes.xyxy * scale, said.boxes.scores, said.boxes.labels, strict=True)
        boxes = [
            {"xyxy": [round(float(v), 1) for v in b], "score": round(float(s), 4), "label": int(c)}
            for b, s, c in rows
        ]
    if said.mask is not None:
        nearest = Image.fromarray(said.mask).resize(size_wh, Image.Resampling.NEAREST)
        mask = _data_url(np.asarray(nearest), "PNG", compress_level=1)
        index = {name: i for i, name in enumerate(said.names("label_map"))}
        found = mask_shares(said.mask, said.names("label_map"))
        shares = [[index[n], round(s, 5)] for n, s in found.items() if s >= SMALLEST_SHARE]
    if said.probabilities is not None:
        probabilities = [round(float(p), 5) for p in said.probabilities]
    if not answer.number:
        change = ""  # the truth is no stage: nothing was lost or found on the way to it
    elif before is None:
        change = words("viewer.first")
    else:
        change = one_line(compare(before, said, SHOWN_SCORE), words)
    return {
        "number": answer.number,
        "task": answer.task,
        "trained": list(answer.trained),
        "boxes": boxes,
        "mask": mask,
        "shares": shares,
        "probabilities": probabilities,
        "change": change,
    }


def _class(name: str, words: Words) -> dict[str, Any]:
    color = color_of(name)
    return {
        # One spelling across tasks, so that a class is hidden in mask and boxes at once.
        "name": class_key(name),
        "shown": words.class_name(name),
        "color": color,
        "ink": ink_on(color),
        "background": is_background(name),
    }


def _data_url(pixels: np.ndarray, kind: str, **options: Any) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64," + base64.b64encode(buffer.getvalue()).decode()
