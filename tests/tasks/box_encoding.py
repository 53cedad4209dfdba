"""The inverse of decoding, to write the truth as a network would say it."""

from __future__ import annotations

import torch
from torch import Tensor

from mtl_core.tasks.box_coding import LOG_DISTANCE_MAX, STRIDE_PX


def encode_boxes(boxes_xyxy_px: Tensor, centres: Tensor) -> Tensor:
    """The inverse of decode_boxes for cells inside their boxes; outside, distances are tiny."""
    distances = torch.cat([centres - boxes_xyxy_px[..., :2], boxes_xyxy_px[..., 2:] - centres], -1)
    return (distances / STRIDE_PX).clamp(min=1e-2).log().clamp(max=LOG_DISTANCE_MAX)
