"""The stages' answers to one image, packed for the viewer in the browser. Pure functions."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from app.language import Words
from app.palette import RAMP, class_key, color_of, ink_on, is_background
from app.results.changes import MATCH_IOU, STEADY_IOU, mask_shares
from app.results.overlay import steps_of
from app.services.engines import StageAnswer
from mtl_core.data.image_io import bounded
from mtl_core.decoding.boxes import SHOWN_SCORE
from mtl_core.types import Boxes, LabelMap, Part, Probabilities, ScalarMap

# Wide enough for a large screen's hero image, small enough for a phone's connection.
VIEW_LONG_SIDE_PX = 1024
# Specks of a class are drawn, but do not earn a place in the legend.
SMALLEST_SHARE = 0.002


@dataclass(frozen=True)
class Side:
    """What stands on one side of the divider.

    Attributes:
        run: the run's name.
        method: the run's, for people.
        answers: one per stage, in order.
        pinned: number of the stage that it always shows; None follows the other side's.
    """

    run: str
    method: str
    answers: Sequence[StageAnswer]
    pinned: int | None = None

    @property
    def title(self) -> str:
        """Method and run."""
        return f"{self.method} ({self.run})"


def viewer_payload(
    image: np.ndarray,
    right: Side,
    words: Words,
    *,
    viewed: str,
    key: str,
    alt: str,
    link: dict[str, str],
    stage: int | None = None,
    left: Side | None = None,
    picture: str = "image",
    headlines: Sequence[dict[str, str]] = (),
    note: str = "",
) -> dict[str, Any]:
    """What the viewer needs to draw every stage without asking again; plain JSON types.

    Args:
        image: H x W x 3 uint8 RGB.
        right: the run whose stages are scrubbed through.
        words: the visitor's language.
        viewed: the same for all answers to one image.
        key: changes whenever the content does.
        alt: the image in words.
        link: query parameters that open the page in this state.
        stage: the stage to show first; None keeps the one being looked at.
        left: what stands left of the divider; None shows no divider.
        picture: the image's name in names of files.
        headlines: per stage of the right side what was lost (``said``) and the scores that tell so
            (``measured``).
        note: what makes the sides hard to compare.
    """
    drawn, (right_drawn, *left_drawn) = _drawn(image, [right, *([left] if left else [])], words)
    return {
        **drawn,
        "viewed": viewed,
        "key": key,
        "alt": alt,
        "link": link,
        "picture": picture,
        "stage": stage,
        "tasks": list(dict.fromkeys(task for answer in right.answers for task in answer.trained)),
        "score": SHOWN_SCORE,
        "match_iou": MATCH_IOU,
        "steady_iou": STEADY_IOU,
        **right_drawn,
        "left": left_drawn[0] if left_drawn else None,
        "headlines": list(headlines),
        "note": note,
    }


def grid_payload(
    image: np.ndarray,
    rows: Sequence[Side],
    words: Words,
    *,
    viewed: str,
    title: str,
    picture: str,
    note: str = "",
) -> dict[str, Any]:
    """What the grid needs to draw every stage of several runs; plain JSON types.

    Args:
        image: H x W x 3 uint8 RGB.
        rows: the runs.
        words: the visitor's language.
        viewed: the same for all answers to one image.
        title: what stands above.
        picture: the image's name in names of files.
        note: what makes the runs hard to compare.
    """
    drawn, sides = _drawn(image, rows, words)
    told = {"viewed": viewed, "title": title, "picture": picture, "note": note}
    return {**drawn, **told, "rows": sides}


def _drawn(
    image: np.ndarray, sides: Sequence[Side], words: Words
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What drawing answers needs whatever else is around it, and each side's answers."""
    small = bounded(image, VIEW_LONG_SIDE_PX)
    height, width = small.shape[:2]
    scale = width / image.shape[1]
    prefixes = ("viewer.", "task.", "changes.", "grid.")
    shared = {
        "language": words.language,
        "width": width,
        "height": height,
        "image": _data_url(small, "JPEG", quality=88),
        "ramp": RAMP,
        "words": {k: v for k, v in words.table.items() if k.startswith(prefixes)},
    }
    return shared, [_side(side, (width, height), scale, words) for side in sides]


def _side(side: Side, size_wh: tuple[int, int], scale: float, words: Words) -> dict[str, Any]:
    names = side.answers[-1].prediction.class_names
    return {
        "run": side.run,
        "method": side.method,
        "title": side.title,
        "pinned": side.pinned,
        "classes": {task: [_class(n, words) for n in names.get(task, [])] for task in names},
        "stages": [_stage(answer, size_wh, scale) for answer in side.answers],
    }


def _stage(answer: StageAnswer, size_wh: tuple[int, int], scale: float) -> dict[str, Any]:
    said = answer.prediction
    return {
        "number": answer.number,
        "task": answer.task,
        "trained": list(answer.trained),
        "parts": {
            task: {
                "kind": part.kind,
                **_PACKED[type(part)](part, said.class_names.get(task, []), size_wh, scale),
            }
            for task, part in said.parts.items()
        },
    }


def _boxes(part: Boxes, names: list[str], size_wh: Any, scale: float) -> dict[str, Any]:
    rows = zip(part.xyxy * scale, part.scores, part.labels, strict=True)
    return {
        "boxes": [
            {"xyxy": [round(float(v), 1) for v in b], "score": round(float(s), 4), "label": int(c)}
            for b, s, c in rows
        ]
    }


def _label_map(part: LabelMap, names: list[str], size_wh: Any, scale: float) -> dict[str, Any]:
    nearest = Image.fromarray(part.ids).resize(size_wh, Image.Resampling.NEAREST)
    index = {name: i for i, name in enumerate(names)}
    found = mask_shares(part.ids, names)
    shares = [[index[n], round(s, 5)] for n, s in found.items() if s >= SMALLEST_SHARE]
    specks = any(0 < s < SMALLEST_SHARE for s in found.values())
    return {"ids": _bytes(np.asarray(nearest)), "shares": shares, "specks": specks}


def _scalar_map(part: ScalarMap, names: list[str], size_wh: Any, scale: float) -> dict[str, Any]:
    steps, low, high = steps_of(part.values)
    nearest = Image.fromarray(steps).resize(size_wh, Image.Resampling.NEAREST)
    return {"ids": _bytes(np.asarray(nearest)), "low": low, "high": high}


def _bars(part: Probabilities, names: list[str], size_wh: Any, scale: float) -> dict[str, Any]:
    return {
        "probabilities": [round(float(p), 5) for p in part.values],
        "known": part.known,
        "certainty": part.certainty,
        "least": part.least,
    }


_PACKED: dict[type[Part], Callable[..., dict[str, Any]]] = {
    Boxes: _boxes,
    LabelMap: _label_map,
    ScalarMap: _scalar_map,
    Probabilities: _bars,
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


def _bytes(pixels: np.ndarray) -> str:
    """Row by row, deflated: what a canvas reads back from an image, some browsers disturb."""
    return base64.b64encode(zlib.compress(pixels.tobytes(), 1)).decode()


def _data_url(pixels: np.ndarray, kind: str, **options: Any) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64," + base64.b64encode(buffer.getvalue()).decode()
