"""A checkpoint as one ONNX graph that answers by itself: normalisation and decoding are inside."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from onnx import helper
from torch import Tensor, nn
from torchvision.ops import box_iou, nms

from mtl_core.data.letterbox import PAD_VALUE
from mtl_core.decoding.boxes import (
    MAX_BOXES,
    NMS_CANDIDATES,
    NMS_IOU,
    SCORE_MIN,
    VOTE_IOU,
)
from mtl_core.engine.network_file import load_network
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.onnx_graphs.export import BackboneHalf, RestHalf, export, random_pixels
from mtl_core.onnx_graphs.rewrites import cleaned
from mtl_core.onnx_graphs.weights import file_sha256
from mtl_core.runs.checkpoint import CheckpointInfo
from mtl_core.tasks.box_coding import cell_centres, decode_boxes
from mtl_core.types import Acceptance, Kind

# Outputs by the kind of a task's answer; a stage has those of the tasks that it was trained.
OUTPUTS: dict[Kind, dict[str, str]] = {
    "label_map": {"mask": "H x W uint8, class index per pixel of the input, 0 is background"},
    "boxes": {
        "boxes": "K x 4 float32, left, top, right, bottom in pixels of the input, best first",
        "scores": "K float32 in 0..1",
        "labels": "K int64, class indices",
    },
    "bars": {"probabilities": "C float32 that sum to 1"},
}
# One more beside probabilities where a checkpoint says from where on an image is of its classes.
ACCEPTANCE = {
    "acceptance": "float32, how sure it is of any class at all; below `least` in the metadata's "
    "`accepts` the image is of none of them"
}
INPUT = (
    "1 x H x W x 3 uint8 RGB, H and W multiples of 32: the image resized (bilinear, antialiased) "
    "by min(input_px / long side, max_enlarge), at the top left of a canvas of pad_value"
)


class DecodedNetwork(nn.Module):
    """1 x H x W x 3 uint8 -> the outputs of ``OUTPUTS`` for some tasks, in the input's pixels."""

    def __init__(self, network: UnifiedVisionSystem, tasks: list[str]) -> None:
        super().__init__()
        self.backbone, self.rest = BackboneHalf(network), RestHalf(network)
        self.order, self.tasks = list(network.tasks), tasks
        self.kinds = {t: task.info.kind for t, task in network.tasks.items()}
        self.scales = {t: task.score_scale for t, task in network.tasks.items()}
        self.accepts = {t: task.acceptance for t, task in network.tasks.items()}

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """As the class says."""
        raw = dict(zip(self.order, self.rest(*self.backbone(pixels)), strict=True))
        return tuple(
            value for task in self.tasks for value in self.decoded(task, raw[task], pixels)
        )

    def decoded(self, task: str, raw: Tensor, pixels: Tensor) -> tuple[Tensor, ...]:
        """One task's outputs."""
        if self.kinds[task] == "boxes":
            xyxy, scores, labels = boxes(raw, pixels)
            slope, shift = self.scales[task]
            return xyxy, (slope * scores.logit() + shift).sigmoid(), labels
        if self.kinds[task] == "label_map":
            return mask(raw, pixels)
        return probabilities(raw, self.accepts[task])


def mask(raw: Tensor, pixels: Tensor) -> tuple[Tensor]:
    """Class logits at a lower resolution -> the class of every pixel of the input."""
    full = F.interpolate(raw, size=pixels.shape[1:3], mode="bilinear", align_corners=False)
    return (full[0].argmax(0).to(torch.uint8),)


def boxes(raw: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """As ``boxes_of``, but clipped to the input, whose padding nothing here knows."""
    _, channels, h, w = raw.shape
    flat = raw[0].flatten(1).T
    scores = (flat[:, 4].sigmoid().unsqueeze(1) * flat[:, 5:].softmax(1)).flatten()
    # A small input has fewer candidates than are taken; zeros stand in and are left out below.
    values, order = torch.cat([scores, scores.new_zeros(NMS_CANDIDATES)]).topk(NMS_CANDIDATES)
    chosen = values > SCORE_MIN
    values, order = values[chosen], order[chosen]
    cells, labels = order // (channels - 5), order % (channels - 5)
    xyxy = decode_boxes(flat[cells, :4], cell_centres(h, w)[cells])
    limit = torch.cat([cells.new_zeros(1) + w * 8, cells.new_zeros(1) + h * 8]).repeat(2)
    xyxy = torch.minimum(xyxy.clamp(min=0), limit.to(xyxy.dtype))
    solid = (xyxy[:, 2:] > xyxy[:, :2]).all(1)
    xyxy, values, labels = xyxy[solid], values[solid], labels[solid]
    # Boxes of different classes are moved apart, so that they never suppress each other.
    apart = labels.to(xyxy.dtype).unsqueeze(1) * (limit.max().to(xyxy.dtype) + 1)
    apart = xyxy + apart
    keep = nms(apart, values, NMS_IOU)[:MAX_BOXES]
    votes = (box_iou(apart[keep], apart) > VOTE_IOU) * values
    return votes @ xyxy / votes.sum(1, keepdim=True), values[keep], labels[keep]


def probabilities(raw: Tensor, acceptance: Acceptance | None) -> tuple[Tensor, ...]:
    """Logits -> probabilities, and the score that is accepted where there is one."""
    values = raw[0].softmax(0)
    if acceptance is None:
        return (values,)
    return values, values.amax() if acceptance.score == "max_softmax" else raw[0].logsumexp(0)


def outputs_of(info: CheckpointInfo, tasks: list[str]) -> dict[str, str]:
    """Per output of some tasks what it holds, in order."""
    return {
        name: text
        for task in tasks
        for name, text in (
            OUTPUTS[info.kinds[task]] | (ACCEPTANCE if task in info.accepts else {})
        ).items()
    }


def decoded_graph(checkpoint: Path) -> onnx.ModelProto:
    """A checkpoint's graph with its metadata: class names and the contract of input and outputs.

    Args:
        checkpoint: a stage checkpoint (.safetensors).

    Raises:
        InputError: the checkpoint is not usable.
    """
    network, info = load_network(checkpoint)
    tasks = [
        task for task in info.class_names if task in info.trained and info.kinds[task] in OUTPUTS
    ]
    names = list(outputs_of(info, tasks))
    with torch.no_grad():
        module = DecodedNetwork(network, tasks).eval()
        model = cleaned(export(module, (random_pixels(1, (128, 160)),), ["pixels"], names))
    name_axes(model)
    helper.set_model_props(model, metadata(checkpoint, info, tasks))
    return model


def name_axes(model: onnx.ModelProto) -> None:
    """State the shapes of input and outputs as they are: one image, free sizes."""
    shapes: dict[str, list[int | str | None]] = {
        "pixels": [1, "H", "W", 3],
        "mask": ["H", "W"],
        "boxes": ["K", 4],
        "scores": ["K"],
        "labels": ["K"],
        "probabilities": ["C"],
        "acceptance": [],
    }
    for value in [*model.graph.input, *model.graph.output]:
        kind = value.type.tensor_type.elem_type
        value.CopyFrom(helper.make_tensor_value_info(value.name, kind, shapes[value.name]))


def metadata(checkpoint: Path, info: CheckpointInfo, tasks: list[str]) -> dict[str, str]:
    """What stands in the file beside the graph; all values are strings, some of them JSON."""
    return {
        "class_names": json.dumps({t: info.class_names[t] for t in tasks}, ensure_ascii=False),
        "kinds": json.dumps({t: info.kinds[t] for t in tasks}),
        "input": INPUT,
        "input_px": str(info.model.input_px),
        "max_enlarge": str(info.model.max_enlarge),
        "pad_value": str(PAD_VALUE),
        "outputs": json.dumps(outputs_of(info, tasks)),
        "accepts": json.dumps({t: asdict(info.accepts[t]) for t in tasks if t in info.accepts}),
        "stage": str(info.stage),
        "checkpoint_sha256": file_sha256(checkpoint),
    }
