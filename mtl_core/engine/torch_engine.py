"""The reference engine: the network in PyTorch."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from mtl_core.data.tensor_input import to_input
from mtl_core.engine.network_file import load_network
from mtl_core.types import Prediction


class TorchEngine:
    """Runs a checkpoint in float32.

    Args:
        path: a stage checkpoint (.safetensors).
        device: where to run it.

    Raises:
        InputError: the file is not a usable checkpoint.
    """

    def __init__(self, path: str | Path, device: str = "cpu") -> None:
        self.path = Path(path)
        self.device = torch.device(device)
        network, self.info = load_network(self.path)
        self.network = network.to(self.device).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def predict(self, image: np.ndarray, score_threshold: float = 0.05) -> Prediction:
        """See Engine.predict. Timings: prepare, network, decode, in milliseconds."""
        start = time.perf_counter()
        pixels, box = to_input(image, self.info.model)
        pixels = pixels.to(self.device, memory_format=torch.channels_last)
        prepared = time.perf_counter()
        raw = {task: r[0].float().cpu().numpy() for task, r in self.network(pixels).raw.items()}
        ran = time.perf_counter()
        parts = {t: self.network.tasks[t].decode(output, box) for t, output in raw.items()}
        timings = {
            "prepare": (prepared - start) * 1e3,
            "network": (ran - prepared) * 1e3,
            "decode": (time.perf_counter() - ran) * 1e3,
        }
        said = Prediction(box.size_hw, self.info.class_names, parts, timings)
        return said.above(score_threshold)
