"""Raw validation predictions of a stage, kept so that any metric can be computed later."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core.data.splits import ClsItem
from mtl_core.types import (
    Boxes,
    InputError,
    Kind,
    LabelMap,
    Part,
    Prediction,
    Probabilities,
    ScalarMap,
)

MOST_BYTES = 4 * 2**30  # once unpacked: the masks of some ten thousand images


def prediction_key(item: Any) -> str:
    """By which an item's prediction is kept: its file's stem, under its class folder if it has one.

    Images of different class folders may have the same name.
    """
    image: Path = item.image
    return f"{image.parent.name}/{image.stem}" if isinstance(item, ClsItem) else image.stem


class PredictionFile:
    """Collects one task's predictions of one stage and writes them as a compressed .npz.

    Keys are ``<prediction_key>/<part>``: ``mask`` (H x W uint8), ``boxes`` (N x 6 float32: xyxy in
    original pixels, score, label), ``probabilities`` (C float32) or ``values`` (H x W float32).
    """

    def __init__(self, folder: Path, stage: int, task: str) -> None:
        self.path = folder / f"stage{stage}_{task}.npz"
        self.arrays: dict[str, Any] = {}

    def add(self, item: Any, prediction: Prediction) -> None:
        """Take one image's prediction."""
        stem = prediction_key(item)
        for part in prediction.parts.values():
            self.arrays[f"{stem}/{_NAMES[part.kind]}"] = _packed(part)

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

    A prediction's ``size_hw`` is its map's; where there is no map it is (0, 0), not stored.

    Raises:
        InputError: the file is missing or damaged.
    """
    path = folder / f"stage{stage}_{task}.npz"
    if not path.is_file():
        raise InputError(f"{path} is missing: expected the predictions that training.train keeps.")
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > MOST_BYTES:
            raise InputError(
                f"{path} unpacks to more than {MOST_BYTES // 2**20} MB: expected less."
            )
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return {
            name.rsplit("/", 1)[0]: _prediction(task, _unpacked(name, array), class_names)
            for name, array in arrays.items()
        }
    except InputError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise all kinds where a file is damaged
        raise InputError(f"{path} is damaged: expected an .npz file of predictions.") from error


_NAMES: dict[Kind, str] = {
    "label_map": "mask",
    "boxes": "boxes",
    "bars": "probabilities",
    "scalar_map": "values",
}


def _packed(part: Part) -> np.ndarray:
    if isinstance(part, Boxes):
        columns = [part.xyxy, part.scores[:, None], part.labels[:, None]]
        return np.concatenate(columns, 1).astype(np.float32)
    return part.ids if isinstance(part, LabelMap) else part.values


def _unpacked(name: str, array: np.ndarray) -> Part:
    name = name.rsplit("/", 1)[1]
    if name == "boxes":
        return Boxes(array[:, :4], array[:, 4], array[:, 5].astype(np.int64))
    if name == "mask":
        return LabelMap(array)
    return Probabilities(array) if name == "probabilities" else ScalarMap(array)


def _prediction(task: str, part: Part, class_names: dict[str, list[str]]) -> Prediction:
    array = part.ids if isinstance(part, LabelMap) else getattr(part, "values", np.zeros(0))
    size_hw = (array.shape[0], array.shape[1]) if array.ndim == 2 else (0, 0)
    return Prediction(size_hw, class_names, {task: part})
