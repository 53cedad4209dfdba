"""Raw validation predictions of a stage, kept so that any metric can be computed later."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core.data.splits import ClsItem
from mtl_core.types import Boxes, InputError, Prediction


def prediction_key(item: Any) -> str:
    """By which an item's prediction is kept: its file's stem, under its class folder if it has one.

    Images of different class folders may have the same name.
    """
    if isinstance(item, ClsItem):
        return f"{item.image.parent.name}/{item.image.stem}"
    return item.image.stem


class PredictionFile:
    """Collects one task's predictions of one stage and writes them as a compressed .npz.

    Keys are ``<prediction_key>/<part>``: ``mask`` (H x W uint8), ``boxes`` (N x 6 float32: xyxy in
    original pixels, score, label) or ``probabilities`` (C float32).
    """

    def __init__(self, folder: Path, stage: int, task: str) -> None:
        self.path = folder / f"stage{stage}_{task}.npz"
        self.arrays: dict[str, Any] = {}

    def add(self, item: Any, prediction: Prediction) -> None:
        """Take one image's prediction."""
        stem = prediction_key(item)
        if prediction.mask is not None:
            self.arrays[f"{stem}/mask"] = prediction.mask
        if prediction.boxes is not None:
            b = prediction.boxes
            columns = [b.xyxy, b.scores[:, None], b.labels[:, None]]
            self.arrays[f"{stem}/boxes"] = np.concatenate(columns, 1).astype(np.float32)
        if prediction.probabilities is not None:
            self.arrays[f"{stem}/probabilities"] = prediction.probabilities

    def write(self) -> None:
        """Write the file under a temporary name, then move it into place."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".part.npz")
        np.savez_compressed(temporary, **self.arrays)
        os.replace(temporary, self.path)


def read_predictions(
    folder: Path, stage: int, task: str, class_names: dict[str, list[str]]
) -> dict[str, Prediction]:
    """What ``PredictionFile`` wrote: prediction_key -> the task's part of its prediction.

    A prediction's ``size_hw`` is its mask's; where there is no mask it is (0, 0), not stored.

    Raises:
        InputError: the file is missing or damaged.
    """
    path = folder / f"stage{stage}_{task}.npz"
    if not path.is_file():
        raise InputError(f"{path} is missing: expected the predictions that training.train keeps.")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{path} is damaged: expected an .npz file of predictions.") from error
    found = {}
    for name, array in arrays.items():
        stem, part = name.rsplit("/", 1)
        if part == "mask":
            found[stem] = Prediction((array.shape[0], array.shape[1]), class_names, mask=array)
        elif part == "boxes":
            boxes = Boxes(array[:, :4], array[:, 4], array[:, 5].astype(np.int64))
            found[stem] = Prediction((0, 0), class_names, boxes=boxes)
        else:
            found[stem] = Prediction((0, 0), class_names, probabilities=array)
    return found
