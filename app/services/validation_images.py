"""The validation images behind a run's figures, where the server has them at hand."""

from __future__ import annotations

import os
import secrets
import shutil
import struct
import tempfile
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from app.language import Refusal
from app.results.overlay import overlay
from app.services.engines import StageAnswer
from app.services.image_reading import LONG_SIDE_PX
from app.services.stored_predictions import are_stored
from app.services.viewed_image import ViewedImage
from mtl_core.data.fingerprint import fingerprint
from mtl_core.data.image_io import bounded, read_image
from mtl_core.data.splits import VOID, Split
from mtl_core.metrics.class_mapping import data_to_model
from mtl_core.runs.predictions import prediction_key
from mtl_core.runs.run_directory import Run
from mtl_core.tasks import TASKS
from mtl_core.tasks.data_roots import data_roots, read_split
from mtl_core.types import Boxes, InputError, LabelMap, Prediction

THUMBNAIL_PX = 360
SPLIT = "val"  # the one that is read
# Those whose losses can be seen on an image; a class is the image's own.
TASKS_SHOWN = tuple(i.id for i in TASKS.infos.values() if i.kind in ("label_map", "boxes"))
# What files that are damaged or went away raise, InputError and Refusal among them; which one it is
# depends on the byte.
UNREADABLE = (OSError, ValueError, IndexError, RuntimeError, EOFError, struct.error, zlib.error)


class ValidationImages:
    """Images and annotations of the validation split, read when first asked for.

    Args:
        data: root of the three sets.
    """

    def __init__(self, data: Path) -> None:
        self._split = cache(lambda task: read_split(data_roots(data), task, SPLIT))
        self._fingerprint = cache(lambda task: fingerprint(self._split(task)))
        # Copies that the page may serve; the sets themselves stay closed to visitors.
        self._served = tempfile.TemporaryDirectory(prefix="onehead-")

    def lacks(self, run: Run, rows: list[dict[str, Any]]) -> str | None:
        """Why these images of one task and two stages cannot be shown: a sentence's key, or None.

        An image of the same name in another set may have another size, so where a run tells what
        it was measured on, the whole split must be that.
        """
        if not rows:
            return None
        task = rows[0]["task"]
        try:
            split = self._split(task)
        except InputError:
            return "broken.no_set"
        known = run.manifest.get("data_fingerprint", {}).get(task, {}).get("eval")
        here = {prediction_key(item) for item in split.items}
        own = (
            {row["image"] for row in rows} <= here
            if known is None
            else known == self._fingerprint(task)
        )
        if not own:
            return "broken.other_set"
        return None if are_stored(run, rows) else "broken.no_predictions"

    def opens(self, run: Run, task: str, stem: str) -> bool:
        """Whether a visitor may see an image: one that the run broke, and that can be shown."""
        try:
            return task in TASKS_SHOWN and any(
                row["task"] == task and row["image"] == stem and not self.lacks(run, [row])
                for row in run.regressions()
            )
        except UNREADABLE:
            return False

    def item(self, task: str, stem: str) -> tuple[Split, Any]:
        """A task's split and one image of it.

        Raises:
            InputError: the set is not here.
            Refusal: it has no such image.
        """
        split = self._split(task)
        for item in split.items:
            if prediction_key(item) == stem:
                return split, item
        raise Refusal("image.not_here")

    def thumbnail(self, task: str, stem: str, said: Prediction) -> np.ndarray:
        """An image as a stage saw it, small: h x w x 3 uint8 RGB."""
        _, item = self.item(task, stem)
        return bounded(overlay(read_image(item.image), said), THUMBNAIL_PX)

    def served(self, task: str, stem: str) -> Path:
        """A copy of an image that the page may show."""
        _, item = self.item(task, stem)
        # By its whole key: images of two class folders may have one name.
        copy = Path(self._served.name) / task / f"{stem}{item.image.suffix}"
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            part = copy.with_name(f"{secrets.token_hex(4)}.part")
            try:
                shutil.copyfile(item.image, part)
                os.replace(part, copy)  # several visitors may ask at once
            except OSError:
                raise Refusal("image.not_here") from None
        return copy

    def viewed(self, run: Run, task: str, stem: str) -> ViewedImage:
        """The image for the Compare tab, with what people annotated as its truth.

        Raises:
            Refusal: the run knows no such task, or broke no such image, or it is not here.
        """
        if task not in run.class_names or not self.opens(run, task, stem):
            raise Refusal("image.not_here")
        copy = self.served(task, stem)
        whole = read_image(copy)
        pixels = bounded(whole, LONG_SIDE_PX)
        truth = self.truth(run, task, stem, (pixels.shape[0], pixels.shape[1]))
        return ViewedImage(
            pixels,
            (whole.shape[0], whole.shape[1]),
            truth=StageAnswer(0, "truth", (task,), truth, None),
            annotated=f"{task}/{stem}",
            placed=copy,
            file_name=copy.name,
        )

    def truth(self, run: Run, task: str, stem: str, size_hw: tuple[int, int]) -> Prediction:
        """What people annotated, in the run's classes, as a prediction of an image's size."""
        split, item = self.item(task, stem)
        _, annotated = TASKS[task].read(item, split)
        to_model = data_to_model(run.class_names[task], list(split.class_names), task)
        if TASKS.infos[task].kind == "label_map":
            table = np.full(256, VOID, np.uint8)
            table[: len(to_model)] = to_model
            mask = Image.fromarray(table[annotated])
            size = (size_hw[1], size_hw[0])
            resized = np.asarray(mask.resize(size, Image.Resampling.NEAREST))
            # What nobody annotated is drawn as background.
            shown = np.where(resized == VOID, 0, resized).astype(np.uint8)
            return Prediction(size_hw, run.class_names, {task: LabelMap(shown)})
        solid = ~annotated.crowd
        scale = np.array([size_hw[1] / annotated.width, size_hw[0] / annotated.height] * 2)
        xyxy = (annotated.boxes_xyxy_px[solid] * scale).astype(np.float32)
        labels = to_model[annotated.labels[solid]]
        boxes = Boxes(xyxy, np.ones(len(xyxy), np.float32), labels)
        return Prediction(size_hw, run.class_names, {task: boxes})
