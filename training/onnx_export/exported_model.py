"""An exported file, used as anyone would use it; needs no PyTorch."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image

from mtl_core.config import ModelConfig
from mtl_core.engine.preprocess import prepare
from mtl_core.onnx_graphs.processor import available_cores
from mtl_core.types import Boxes, InputError, LabelMap, Part, Prediction, Probabilities


class ExportedModel:
    """Predicts with a file that ``training.export`` wrote.

    Args:
        path: the .onnx file.
        threads: of a pass; 0 takes all available cores.

    Raises:
        InputError: the file is missing or was not written by this version.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or available_cores()
        options.log_severity_level = 3
        try:
            self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            about = self.session.get_modelmeta().custom_metadata_map
            self.class_names: dict[str, list[str]] = json.loads(about["class_names"])
            self.task_of = {kind: task for task, kind in json.loads(about["kinds"]).items()}
            accepts = json.loads(about.get("accepts", "{}"))  # files of before have none
            self.least = {task: float(found["least"]) for task, found in accepts.items()}
            self.config = ModelConfig(
                input_px=int(about["input_px"]), max_enlarge=float(about["max_enlarge"])
            )
        except Exception as error:  # onnxruntime raises its own types
            raise InputError(f"{path} is not a file that training.export wrote.") from error
        self.outputs = [output.name for output in self.session.get_outputs()]

    def predict(self, image: np.ndarray, score_threshold: float = 0.05) -> Prediction:
        """See mtl_core.engine.Engine.predict."""
        start = time.perf_counter()
        pixels, box = prepare(image, self.config)
        prepared = time.perf_counter()
        found = dict(zip(self.outputs, self.session.run(None, {"pixels": pixels}), strict=True))
        ran = time.perf_counter()
        parts: dict[str, Part] = {}
        if "boxes" in found:
            original = box.boxes_to_original(found["boxes"])
            parts[self.task_of["boxes"]] = Boxes(original, found["scores"], found["labels"]).above(
                score_threshold
            )
        if "mask" in found:
            content = Image.fromarray(found["mask"][: box.content_hw[0], : box.content_hw[1]])
            size_wh = box.size_hw[1], box.size_hw[0]
            ids = np.asarray(content.resize(size_wh, Image.Resampling.NEAREST))
            parts[self.task_of["label_map"]] = LabelMap(ids)
        if "probabilities" in found:
            task = self.task_of["bars"]
            known = bool(found["acceptance"] >= self.least[task]) if task in self.least else None
            parts[task] = Probabilities(found["probabilities"], known)
        timings = {
            "prepare": (prepared - start) * 1e3,
            "network": (ran - prepared) * 1e3,
            "decode": (time.perf_counter() - ran) * 1e3,
        }
        return Prediction(box.size_hw, self.class_names, parts, timings)
