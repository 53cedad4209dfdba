"""Average precision of boxes; pycocotools is the referee."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mtl_core.decoding.boxes import SHOWN_SCORE
from mtl_core.metrics.base import Meter, Score
from mtl_core.metrics.class_mapping import data_to_model
from mtl_core.metrics.resampled_map import matches, resampled_map
from mtl_core.types import Prediction


class DetectionMeter(Meter):
    """COCO AP@[.50:.95] and AP@.50 over the images that were added.

    Args:
        model_names: the network's classes.
        split: a detection split; its annotated boxes, crowd regions among them, are the truth.
    """

    def __init__(self, model_names: list[str], split: Any) -> None:
        self.data_names: list[str] = list(split.class_names)
        to_model = data_to_model(model_names, self.data_names, "detection")
        self.to_data = {int(m): d for d, m in enumerate(to_model)}
        self.items: list[Any] = []
        self.detections: list[dict[str, Any]] = []

    def add(self, prediction: Prediction, item: Any) -> None:
        """A prediction beside its annotated DetItem."""
        assert prediction.boxes is not None
        self.items.append(item)
        found = prediction.boxes
        for box, score, label in zip(found.xyxy, found.scores, found.labels, strict=True):
            if int(label) in self.to_data:
                x0, y0, x1, y1 = (float(v) for v in box)
                self.detections.append(
                    {
                        "image_id": item.image_id,
                        "category_id": self.to_data[int(label)] + 1,
                        "bbox": [x0, y0, x1 - x0, y1 - y0],
                        "score": float(score),
                    }
                )

    def _truth(self) -> dict[str, Any]:
        annotations: list[dict[str, Any]] = []
        for item in self.items:
            rows = zip(item.boxes_xyxy_px, item.labels, item.crowd, strict=True)
            for (x0, y0, x1, y1), label, crowd in rows:
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": item.image_id,
                        "category_id": int(label) + 1,
                        "bbox": [float(x0), float(y0), float(x1 - x0), float(y1 - y0)],
                        "area": float((x1 - x0) * (y1 - y0)),
                        "iscrowd": int(crowd),
                    }
                )
        return {
            "info": {},
            "images": [
                {"id": i.image_id, "height": i.height, "width": i.width} for i in self.items
            ],
            "annotations": annotations,
            "categories": [{"id": i + 1, "name": n} for i, n in enumerate(self.data_names)],
        }

    def _coco(self) -> tuple[COCO, COCO]:
        """Truth and detections as pycocotools takes them; there must be a detection."""
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
            truth = COCO()
            truth.dataset = self._truth()
            truth.createIndex()
            return truth, truth.loadRes(self.detections)

    def answers(self, least: float = SHOWN_SCORE) -> tuple[np.ndarray, np.ndarray] | None:
        """Scores of the boxes from a score on, and whether each hits an object at an IoU of 0.5."""
        if not self.detections:
            return None
        cells = matches(*self._coco()).evalImgs
        parts = [(c["dtScores"], c["dtMatches"][0], c["dtIgnore"][0]) for c in cells if c]
        scores, hits, ignored = (np.concatenate(part) for part in zip(*parts, strict=True))
        counted = (ignored == 0) & (scores >= least)
        return scores[counted], hits[counted] > 0

    def resampled(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """See Meter.resampled."""
        if not self.detections:
            held = (np.array([(~item.crowd).sum() for item in self.items]) @ counts.T) > 0
            zeros = np.where(held, 0.0, np.nan)
            return {"mAP": zeros, "mAP50": zeros}
        images = [item.image_id for item in self.items]
        return resampled_map(matches(*self._coco()), images, counts)

    def score(self) -> Score:
        """mAP and mAP50 over the classes that the images hold; AP per class; 0 without boxes."""
        n = len(self.items)
        if not self.detections:
            held = {int(label) for item in self.items for label in item.labels[~item.crowd]}
            return Score({"mAP": 0.0, "mAP50": 0.0}, {self.data_names[i]: 0.0 for i in held}, n)
        truth, found = self._coco()
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = COCOeval(truth, found, "bbox")
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        precision = evaluation.eval["precision"][:, :, :, 0, -1]  # IoU x recall x class
        per_class = {
            name: float(np.mean(of_class[of_class > -1]))
            for i, name in enumerate(self.data_names)
            if ((of_class := precision[:, :, i]) > -1).any()
        }
        # pycocotools answers -1 where no annotated box exists at all
        values = {"mAP": float(evaluation.stats[0]), "mAP50": float(evaluation.stats[1])}
        return Score({k: max(v, 0.0) for k, v in values.items()}, per_class, n)
