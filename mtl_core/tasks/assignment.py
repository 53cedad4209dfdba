"""Which cell answers for which object.

Task-aligned top-k assignment after C. Feng et al., "TOOD: Task-aligned One-stage Object
Detection", ICCV 2021, section 3.2, eq. 3-4, with a guarantee added: every object gets a cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_iou

from mtl_core.tasks.box_coding import STRIDE_PX

TOP_K = 13
ALPHA, BETA = 0.5, 6.0  # exponents of score and overlap in the alignment t = s^alpha * u^beta


@dataclass
class Assignment:
    """Positives of one image.

    Attributes:
        cells: P int64 indices of positive cells.
        objects: P int64, the object each answers for.
        quality: P float32 in (0, 1], the alignment normalised per object to its best overlap.
    """

    cells: Tensor
    objects: Tensor
    quality: Tensor


@torch.no_grad()
def assign(
    predicted_xyxy: Tensor, scores: Tensor, centres: Tensor, boxes: Tensor, labels: Tensor
) -> Assignment:
    """Choose the positives of one image.

    Args:
        predicted_xyxy: A x 4 decoded boxes, input pixels.
        scores: A x C objectness times class probability.
        centres: A x 2 cell centres, input pixels.
        boxes: G x 4 objects, input pixels; may be empty.
        labels: G class indices.
    """
    device, count = boxes.device, len(boxes)
    if count == 0:
        nothing = torch.zeros(0, dtype=torch.int64, device=device)
        return Assignment(nothing, nothing, nothing.float())
    # Many small steps, each of which waits for the one before: work for a processor, wherever the
    # network is.
    predicted_xyxy, scores, centres, boxes, labels = (
        part.cpu() for part in (predicted_xyxy, scores, centres, boxes, labels)
    )
    left_top = centres[None] - boxes[:, None, :2]
    right_bottom = boxes[:, None, 2:] - centres[None]
    inside = torch.cat([left_top, right_bottom], -1).amin(-1) > 0  # G x A
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    offset = (centres[None] - middle[:, None]).abs().amax(-1)
    candidates = inside | (offset < STRIDE_PX)  # so that a one-pixel box has candidates, too

    overlap = box_iou(boxes, predicted_xyxy)
    alignment = scores[:, labels].T.clamp(min=1e-9) ** ALPHA * overlap**BETA
    alignment = alignment * candidates
    top = alignment.topk(min(TOP_K, alignment.shape[1]), dim=1).indices
    chosen = torch.zeros_like(candidates).scatter_(1, top, True) & candidates

    # A cell answers for one object: the one that its box overlaps most.
    owner = torch.where(chosen, overlap, -1.0).argmax(0)
    owned = chosen.any(0)
    objects_of_cell = torch.where(owned, owner, -1)
    # An object without a cell takes the one nearest its middle; small objects choose last,
    # and so keep what they take.
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    answered = set(objects_of_cell.tolist())
    for g in areas.argsort(descending=True).tolist():
        if g not in answered:
            free = offset[g].masked_fill(forced_cells(objects_of_cell, count), float("inf"))
            objects_of_cell[free.argmin()] = g
    cells = (objects_of_cell >= 0).nonzero().squeeze(1)
    objects = objects_of_cell[cells]

    own = alignment[objects, cells]
    own_overlap = overlap[objects, cells]
    best_alignment = torch.zeros(count).scatter_reduce(0, objects, own, "amax", include_self=True)
    best_overlap = torch.zeros(count).scatter_reduce(
        0, objects, own_overlap, "amax", include_self=True
    )
    quality = own / best_alignment[objects].clamp(min=1e-12) * best_overlap[objects]
    found = cells, objects, quality.clamp(0.05, 1.0)
    return Assignment(*(part.to(device) for part in found))


def forced_cells(objects_of_cell: Tensor, count: int) -> Tensor:
    """Cells that are the last one of their object and may not be taken from it: A bool."""
    counts = torch.bincount(objects_of_cell[objects_of_cell >= 0], minlength=count)
    last = (counts == 1).nonzero().squeeze(1)
    return torch.isin(objects_of_cell, last)
