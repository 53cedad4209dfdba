"""The default engine on a CPU: two onnxruntime graphs, and no PyTorch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from mtl_core.data.letterbox import Placement
from mtl_core.engine.base import decoded
from mtl_core.engine.preprocess import prepare
from mtl_core.onnx_graphs.session import open_graph
from mtl_core.onnx_graphs.template import template_of
from mtl_core.runs.checkpoint import read_header
from mtl_core.types import InputError, Prediction


class OnnxEngine:
    """Runs a checkpoint in float32 under onnxruntime.

    Args:
        path: a stage checkpoint (.safetensors).
        threads: of a pass; 0 takes all available cores.
        cache: folder of the graphs, see template_of.

    Raises:
        InputError: the file is not a usable checkpoint.
        RuntimeError: its graphs do not compute what PyTorch computes.
    """

    def __init__(self, path: str | Path, threads: int = 0, cache: Path | None = None) -> None:
        self.path = Path(path)
        self.info = read_header(self.path)
        template = template_of(self.path, cache)
        self.backbone = open_graph(template.backbone, self.path, threads)
        self.rest = open_graph(template.rest, self.path, threads)

    def raw(self, image: np.ndarray) -> tuple[dict[str, np.ndarray], Placement]:
        """Raw outputs by task, float32 without batch axis, and where the image lay in the input.

        Args:
            image: H x W x 3 uint8 RGB.
        """
        pixels, box = prepare(image, self.info.model)
        return self._run(pixels), box

    def _run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        values = self.rest(self.backbone([ort.OrtValue.ortvalue_from_numpy(pixels)]))
        return {t: value.numpy()[0] for t, value in zip(self.rest.outputs, values, strict=True)}

    def predict(self, image: np.ndarray, score_threshold: float = 0.05) -> Prediction:
        """See Engine.predict. Timings: prepare, network, decode, in milliseconds."""
        start = time.perf_counter()
        pixels, box = prepare(image, self.info.model)
        prepared = time.perf_counter()
        raw = self._run(pixels)
        ran = time.perf_counter()
        parts = {
            task: decoded(self.info, task, output, box, score_threshold)
            for task, output in raw.items()
        }
        timings = {
            "prepare": (prepared - start) * 1e3,
            "network": (ran - prepared) * 1e3,
            "decode": (time.perf_counter() - ran) * 1e3,
        }
        return Prediction(box.size_hw, self.info.class_names, parts, timings)

    def features(self, image: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Refused: these graphs give answers only.

        Raises:
            InputError: always.
        """
        raise InputError(
            f"{self.path} runs in onnxruntime, whose graphs have no inner maps: expected an "
            'engine of kind "torch".'
        )
