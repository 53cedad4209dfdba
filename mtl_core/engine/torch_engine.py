"""The reference engine: the network in PyTorch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mtl_core.data.letterbox import Placement
from mtl_core.data.tensor_input import to_input
from mtl_core.engine.base import FEATURES
from mtl_core.engine.network_file import header_of, load_network
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.types import InputError, Prediction


class TorchEngine:
    """Runs a network in float32.

    Args:
        source: a stage checkpoint (.safetensors), or a network, which is put into eval mode, stays
            where it is and answers with its weights of the moment.
        device: where to run a checkpoint.

    Raises:
        InputError: the file is not a usable checkpoint.
    """

    def __init__(self, source: str | Path | UnifiedVisionSystem, device: str = "cpu") -> None:
        self.path: Path | None = None
        if isinstance(source, UnifiedVisionSystem):
            self.network, self.info = source.eval(), header_of(source, 0, list(source.tasks))
        else:
            self.path = Path(source)
            network, self.info = load_network(self.path)
            self.network = network.to(device).to(memory_format=torch.channels_last)
        self.device = next(self.network.parameters()).device

    def _input(self, image: np.ndarray) -> tuple[Tensor, Placement]:
        pixels, box = to_input(image, self.info.model)
        return pixels.to(self.device, memory_format=torch.channels_last), box

    @torch.inference_mode()
    def predict(self, image: np.ndarray, score_threshold: float = 0.05) -> Prediction:
        """See Engine.predict. Timings: prepare, network, decode, in milliseconds."""
        start = time.perf_counter()
        pixels, box = self._input(image)
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

    @torch.inference_mode()
    def features(self, image: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """See Engine.features."""
        unknown = [name for name in names if name not in FEATURES]
        if unknown:
            raise InputError(
                f"Feature {unknown[0]!r} is unknown: expected some of {', '.join(FEATURES)}."
            )
        network = self.network
        levels = network.backbone(self._input(image)[0])
        neck = network.neck([levels[i] for i in network.fused_levels])
        head = network.head.layer2(network.head.layer1(neck))
        maps = dict(zip(FEATURES, [*levels, neck, head], strict=True))
        return {name: maps[name][0].float().cpu().numpy() for name in names}
