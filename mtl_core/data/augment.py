"""Random views of training images: scale jitter, crop, flip, colour and mosaic.

Scales are about the size that evaluation uses, so that objects look in training as they will look
later, while the crop can be far smaller than a whole input. torchvision's ``transforms.v2``
functions move pixels, masks and boxes together.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as v2f

from mtl_core.config import ModelConfig, StageConfig
from mtl_core.data.splits import VOID
from mtl_core.data.tensor_input import PAD_VALUE, evaluation_scale

KEEP_VISIBLE = 0.35  # an object cut below this share of its area is neither trained nor punished
COLOUR = v2.Compose(
    [v2.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3), v2.RandomGrayscale(p=0.05)]
)
MOSAIC_SCALE = 0.6  # extra shrinking of a mosaic's parts, so that whole objects fit


def uniform(low: float, high: float) -> float:
    """One number from torch's global generator, which the dataset seeds per sample."""
    return low + (high - low) * float(torch.rand(()))


def random_window(
    size_hw: tuple[int, int], out_hw: tuple[int, int], config: ModelConfig, scale: float
) -> tuple[int, int, int, int]:
    """Top, left, height and width of a view in original pixels; it may reach over the edges."""
    factor = scale * evaluation_scale(size_hw, config)
    window = [max(8, round(out / factor)) for out in out_hw]
    starts = []
    for image, length in zip(size_hw, window, strict=True):
        slack = image - length
        starts.append(round(uniform(min(0, slack), max(0, slack))))
    return starts[0], starts[1], window[0], window[1]


def take(
    sample: dict[str, Any], window: tuple[int, int, int, int], out_hw: tuple[int, int]
) -> dict[str, Any]:
    """Cut a window out of a sample of tv_tensors and resize it.

    Outside the image pixels are grey and mask cells void.
    """
    top, left, height, width = window
    size_h, size_w = sample["pixels"].shape[-2:]
    # left, top, right, bottom: how far the window reaches over the edges
    margins = [
        max(0, -left),
        max(0, -top),
        max(0, left + width - size_w),
        max(0, top + height - size_h),
    ]
    result = dict(sample)
    for key, fill in (("pixels", PAD_VALUE), ("mask", VOID), ("boxes", 0)):
        if key in sample:
            value = v2f.pad(sample[key], margins, fill=fill) if any(margins) else sample[key]
            value = v2f.crop(value, top + margins[1], left + margins[0], height, width)
            result[key] = v2f.resize(value, list(out_hw), antialias=True)
    return result


def mark_cut_boxes(sample: dict[str, Any], before: Tensor, magnify: float) -> dict[str, Any]:
    """Split boxes into whole enough ones and regions to ignore, from their areas before the cut.

    Args:
        sample: ``boxes`` as cut; ``crowd`` N bool.
        before: N areas in original pixels.
        magnify: view pixels per original pixel, in area.
    """
    boxes = sample["boxes"]
    plain = boxes.as_subclass(torch.Tensor).float()
    area = (plain[:, 2] - plain[:, 0]).clamp(min=0) * (plain[:, 3] - plain[:, 1]).clamp(min=0)
    seen = area > 0
    whole = seen & (area >= KEEP_VISIBLE * before * magnify) & ~sample["crowd"]
    return {
        **sample,
        "boxes": plain[whole],
        "labels": sample["labels"][whole],
        "ignore": plain[seen & ~whole],
    }


def random_view(
    sample: dict[str, Any],
    stage: StageConfig,
    config: ModelConfig,
    out_hw: tuple[int, int],
    shrink: float = 1.0,
) -> dict[str, Any]:
    """One random view of a sample; boxes end as plain tensors ``boxes``, ``labels``, ``ignore``."""
    size_hw = (sample["pixels"].shape[-2], sample["pixels"].shape[-1])
    scale = shrink * math.exp(uniform(math.log(stage.scale[0]), math.log(stage.scale[1])))
    window = random_window(size_hw, out_hw, config, scale)
    view = take(sample, window, out_hw)
    if uniform(0, 1) < 0.5:
        view = {
            k: v2f.horizontal_flip(v) if isinstance(v, tv_tensors.TVTensor) else v
            for k, v in view.items()
        }
    if "boxes" in sample:
        plain = sample["boxes"].as_subclass(torch.Tensor)
        before = (plain[:, 2] - plain[:, 0]) * (plain[:, 3] - plain[:, 1])
        magnify = out_hw[0] / window[2] * out_hw[1] / window[3]
        view = mark_cut_boxes(view, before, magnify)
    return view


def mosaic(
    samples: list[dict[str, Any]], stage: StageConfig, config: ModelConfig, side: int
) -> dict[str, Any]:
    """Four views around a random middle (A. Bochkovskiy et al., "YOLOv4", 2020, section 3.3)."""
    middle_y, middle_x = (round(side * uniform(0.35, 0.65)) for _ in range(2))
    pixels = torch.empty(3, side, side, dtype=torch.uint8)
    parts: dict[str, list[Tensor]] = {"boxes": [], "labels": [], "ignore": []}
    corners = [
        (0, 0, middle_y, middle_x),
        (0, middle_x, middle_y, side - middle_x),
        (middle_y, 0, side - middle_y, middle_x),
        (middle_y, middle_x, side - middle_y, side - middle_x),
    ]
    for sample, (top, left, height, width) in zip(samples, corners, strict=True):
        view = random_view(sample, stage, config, (height, width), MOSAIC_SCALE)
        pixels[:, top : top + height, left : left + width] = view["pixels"]
        shift = torch.tensor([left, top, left, top], dtype=torch.float32)
        parts["boxes"].append(view["boxes"] + shift)
        parts["ignore"].append(view["ignore"] + shift)
        parts["labels"].append(view["labels"])
    joined = {key: torch.cat(value) for key, value in parts.items()}
    return {"pixels": pixels, **joined}
