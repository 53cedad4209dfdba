"""Mean intersection over union, as PASCAL VOC counts it."""

from __future__ import annotations

import numpy as np

from mtl_core.data.splits import VOID
from mtl_core.metrics.base import Meter, Score
from mtl_core.metrics.class_mapping import data_to_model
from mtl_core.types import Prediction


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts [true class, predicted class] over the pixels whose truth is not void.

    Args:
        truth: class indices of any shape, 255 for void.
        predicted: class indices of the same shape.
        classes: C, giving C x C int64.
    """
    valid = truth != VOID
    index = truth[valid].astype(np.int64) * classes + predicted[valid]
    return np.bincount(index, minlength=classes * classes).reshape(classes, classes)


def class_ious(matrix: np.ndarray) -> np.ndarray:
    """... x C x C confusions -> ... x C intersections over union; NaN where neither truth nor
    guess has any.
    """
    hit = np.diagonal(matrix, axis1=-2, axis2=-1).astype(np.float64)
    union = matrix.sum(-2) + matrix.sum(-1) - hit
    ious: np.ndarray = np.divide(hit, union, out=np.full_like(hit, np.nan), where=union > 0)
    return ious


def mean_iou(matrix: np.ndarray) -> np.ndarray:
    """The mean over the classes that stand in the truth or in the guesses; 0 without any.

    Args:
        matrix: ... x C x C confusions.
    """
    ious = class_ious(matrix)
    present = np.isfinite(ious).sum(-1)
    means: np.ndarray = np.nansum(ious, -1) / np.maximum(present, 1)
    return means


class SegmentationMeter(Meter):
    """One confusion matrix over the whole split, 255 ignored, absent classes left out.

    Args:
        model_names: the network's classes.
        data_names: the split's classes; matched by name.
    """

    def __init__(self, model_names: list[str], data_names: list[str]) -> None:
        self.names = model_names
        self.to_model = np.full(256, VOID, dtype=np.uint8)
        indices = data_to_model(model_names, data_names, "segmentation")
        self.to_model[: len(data_names)] = indices
        self.matrices: list[np.ndarray] = []  # one confusion per image

    def add(self, prediction: Prediction, item: np.ndarray) -> None:
        """A prediction beside its annotated mask, H x W uint8 in the data's indices."""
        assert prediction.mask is not None
        self.matrices.append(confusion(self.to_model[item], prediction.mask, len(self.names)))

    @property
    def matrix(self) -> np.ndarray:
        """The confusion of all images, C x C int64."""
        empty = np.zeros((len(self.names), len(self.names)), np.int64)
        return sum(self.matrices, start=empty)

    def score(self) -> Score:
        """mIoU, and the IoU of every class that occurs."""
        matrix = self.matrix
        ious = class_ious(matrix)
        per_class = {
            name: float(iou) for name, iou in zip(self.names, ious, strict=True) if iou == iou
        }
        return Score({"mIoU": float(mean_iou(matrix))}, per_class, len(self.matrices))

    def resampled(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """See Meter.resampled."""
        flat = np.stack(self.matrices).reshape(len(self.matrices), -1)
        classes = len(self.names)
        sums = (counts @ flat).reshape(len(counts), classes, classes)
        return {"mIoU": mean_iou(sums)}
