"""The frozen half of the trunk, run once a batch for student, teacher and evaluation alike.

It has no gradient and never changes within a run, so on a CPU it runs as an ONNX graph, which is
faster than eager PyTorch; elsewhere it runs in PyTorch.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor, nn

from mtl_core.model.backbone import Backbone


class _Frozen(nn.Module):
    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.backbone.frozen(x))


class FrozenTrunk:
    """Callable: N x 3 x H x W float32 -> the maps that ``Backbone.rest`` takes.

    Args:
        backbone: its frozen half is copied into the graph now; it must not change afterwards.
        device: where the rest of the network runs.
        threads: of the graph; 0 lets onnxruntime choose.
    """

    def __init__(self, backbone: Backbone, device: torch.device, threads: int = 0) -> None:
        self.backbone = backbone
        self.session: ort.InferenceSession | None = None
        if device.type != "cpu" or backbone.cut == 0:
            return
        graph: Any = io.BytesIO()  # torch takes files, too, its stubs do not
        outputs = [f"cut{i}" for i in range(len(backbone.frozen(torch.zeros(1, 3, 64, 64))))]
        was_training = backbone.training
        module = _Frozen(backbone).eval()
        axes = {0: "n", 2: "h", 3: "w"}
        torch.onnx.export(
            module,
            (torch.zeros(2, 3, 64, 96),),
            graph,
            input_names=["pixels"],
            output_names=outputs,
            dynamic_axes={name: axes for name in ["pixels", *outputs]},
            dynamo=False,
        )
        backbone.train(was_training)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = ort.InferenceSession(
            graph.getvalue(), options, providers=["CPUExecutionProvider"]
        )

    @torch.no_grad()
    def __call__(self, x: Tensor) -> list[Tensor]:
        """Normalised N x 3 x H x W float32 -> maps, without gradient."""
        if self.session is None:
            return self.backbone.frozen(x)
        pixels = np.ascontiguousarray(x.numpy())
        # One picture at a time: its maps stay in the processor's cache, a whole batch's do not.
        maps = [self.session.run(None, {"pixels": one[None]}) for one in pixels]
        return [torch.from_numpy(np.concatenate(level)) for level in zip(*maps, strict=True)]
