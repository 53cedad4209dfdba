"""Boxes on one grid of cells, as training reads them; NumPy's copy of it is tested to be equal."""

from __future__ import annotations

import torch
from torch import Tensor

STRIDE_PX = 8  # of the map that detection reads
LOG_DISTANCE_MAX = 5.0  # e^5 strides = 1,187 px: beyond any input, and keeps exp finite
LOG_DISTANCE_MIN = -5.0  # e^-5 strides = 0.05 px: a box never loses its width altogether
FIRST_LOG_DISTANCE = 1.4  # a new network's boxes are e^1.4 = 4 strides to each side


def cell_centres(h: int, w: int, device: torch.device | None = None) -> Tensor:
    """The cells' centres, (h * w) x 2, x and y in input pixels, row by row."""
    ys = (torch.arange(h, device=device) + 0.5) * STRIDE_PX
    xs = (torch.arange(w, device=device) + 0.5) * STRIDE_PX
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


def decode_boxes(log_distances: Tensor, centres: Tensor) -> Tensor:
    """Log distances ... x A x 4 (left, top, right, bottom, in strides) -> xyxy in input pixels.

    Distances from the cell's centre as in Z. Tian et al., "FCOS", ICCV 2019, eq. 1, in units of
    the stride, so that the regression is of order one.
    """
    distances = log_distances.float().clamp(LOG_DISTANCE_MIN, LOG_DISTANCE_MAX).exp() * STRIDE_PX
    return torch.cat([centres - distances[..., :2], centres + distances[..., 2:]], dim=-1)
