"""What is where: object detection, anchor-free on one grid.

Raw output: N x (4 + 1 + C_det) x H/8 x W/8: log distances to left, top, right and bottom in
strides, objectness logit, class logits. A box's score is sigmoid(objectness) x softmax(class).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import tv_tensors
from torchvision.ops import complete_box_iou_loss

from mtl_core.data.coco_annotations import read_box_folder
from mtl_core.data.image_io import read_det
from mtl_core.data.splits import DetItem, Split
from mtl_core.metrics.box_regressions import box_losses
from mtl_core.metrics.coco_map import DetectionMeter
from mtl_core.tasks import DET
from mtl_core.tasks.assignment import assign
from mtl_core.tasks.base import Task
from mtl_core.tasks.box_coding import FIRST_LOG_DISTANCE, cell_centres, decode_boxes
from mtl_core.types import Prediction

BOX_WEIGHT, CLASS_WEIGHT = 4.0, 1.0  # beside the objectness term's 1
NEGATIVE_ALPHA, NEGATIVE_GAMMA = 0.75, 2.0  # varifocal weight of empty cells
FIRST_OBJECTNESS = 0.01  # a new network's objectness everywhere
OBJECTNESS = 4  # its channel
LEARNED_MAP50 = 0.05  # least mAP50 that counts as having learned to find anything
TEACHER_CONFIDENT = 0.05  # objectness above which a teacher's box is worth keeping


@dataclass
class DetectionTarget:
    """The objects of one crop: boxes G x 4 in input pixels, labels G, regions to ignore K x 4."""

    boxes: Tensor
    labels: Tensor
    ignore: Tensor


class Slice(nn.Module):
    """Detection reads its slice as it is."""

    def forward(self, part: Tensor, context: Tensor) -> Tensor:
        """N x channels x H x W, unchanged."""
        return part


class Detection(Task):
    """Objectness, class and complete-IoU terms with task-aligned assignment; COCO mAP."""

    info = DET
    joins_images = True

    @property
    def channels(self) -> int:
        """Four distances, objectness, class logits."""
        return 4 + 1 + len(self.class_names)

    def build_readout(self, context_channels: int) -> nn.Module:
        """Nothing to add."""
        return Slice()

    def initialise(self, weight: nn.Parameter, bias: nn.Parameter) -> None:
        """Medium boxes and rare objects (T.-Y. Lin et al., ICCV 2017, section 4.1)."""
        with torch.no_grad():
            bias[:4] = FIRST_LOG_DISTANCE
            bias[4] = -math.log((1 - FIRST_OBJECTNESS) / FIRST_OBJECTNESS)

    @staticmethod
    def read_split(root: Path, name: str) -> Split:
        """Images with a COCO annotation file."""
        return read_box_folder(root, name)

    @staticmethod
    def read(item: DetItem, split: Split) -> tuple[np.ndarray, DetItem]:
        """Pixels and the item itself, which holds its boxes."""
        return read_det(item), item

    @staticmethod
    def classes(item: DetItem) -> set[int]:
        """Of its boxes, crowds left out."""
        return set(item.labels[~item.crowd].tolist())

    @staticmethod
    def labels(truth: DetItem, to_model: Tensor, size_hw: tuple[int, int]) -> dict[str, Any]:
        """Boxes, their labels in the network's class ids, and which are crowds."""
        boxes = torch.from_numpy(truth.boxes_xyxy_px).reshape(-1, 4)
        return {
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size_hw),
            "labels": to_model[torch.from_numpy(truth.labels)],
            "crowd": torch.from_numpy(truth.crowd),
        }

    @staticmethod
    def target(view: dict[str, Any]) -> DetectionTarget:
        """The view's objects."""
        return DetectionTarget(view["boxes"], view["labels"], view["ignore"])

    def collate(self, targets: list[DetectionTarget]) -> list[DetectionTarget]:
        """A list: images differ in their number of objects."""
        return targets

    def loss(self, raw: Tensor, targets: list[DetectionTarget]) -> dict[str, Tensor]:
        """Sum over the batch's cells, each term divided by the positives' summed quality.

        Objectness is trained towards the quality with the varifocal weighting of H. Zhang et al.,
        "VarifocalNet", CVPR 2021, eq. 2; boxes by the complete IoU of Z. Zheng et al., AAAI 2020;
        classes by cross-entropy.
        """
        _, _, h, w = raw.shape
        flat = raw.float().flatten(2).transpose(1, 2)  # N x A x channels
        centres = cell_centres(h, w, raw.device)
        boxes = decode_boxes(flat[..., :4], centres)
        objectness, classes = flat[..., 4], flat[..., 5:]
        scores = objectness.detach().sigmoid().unsqueeze(-1) * classes.detach().softmax(-1)

        wanted = torch.zeros_like(objectness)
        weight = NEGATIVE_ALPHA * objectness.detach().sigmoid() ** NEGATIVE_GAMMA
        image, cell, box_targets, label_targets, quality = [], [], [], [], []
        for i, target in enumerate(targets):
            if len(target.ignore):
                weight[i] = weight[i] * ~inside_any(centres, target.ignore)
            found = assign(boxes[i].detach(), scores[i], centres, target.boxes, target.labels)
            wanted[i, found.cells] = found.quality
            weight[i, found.cells] = found.quality
            image.append(torch.full_like(found.cells, i))
            cell.append(found.cells)
            box_targets.append(target.boxes[found.objects])
            label_targets.append(target.labels[found.objects])
            quality.append(found.quality)
        at = torch.cat(image), torch.cat(cell)
        q = torch.cat(quality)
        total = q.sum().clamp(min=1.0)
        object_loss = F.binary_cross_entropy_with_logits(objectness, wanted, reduction="none")
        box_loss = complete_box_iou_loss(boxes[at], torch.cat(box_targets), reduction="none")
        class_loss = F.cross_entropy(classes[at], torch.cat(label_targets), reduction="none")
        return {
            "obj": (object_loss * weight).sum() / total,
            "box": BOX_WEIGHT * (box_loss * q).sum() / total,
            "kind": CLASS_WEIGHT * (class_loss * q).sum() / total,
        }

    def distill(
        self, raw: Tensor, teacher_raw: Tensor, temperature: float, logits_only: bool = False
    ) -> Tensor:
        """Objectness everywhere, boxes and classes where the teacher is confident.

        Every term is weighted per cell by the teacher's objectness, as in the response-based
        distillation of Z. Zheng et al., "Localization Distillation", CVPR 2022, and divided by the
        summed weight; empty cells enter through the objectness they wrongly gain.
        """
        student, teacher = raw.float(), teacher_raw.float()
        p, q = student[:, 4].sigmoid(), teacher[:, 4].sigmoid()
        confident = q * (q > TEACHER_CONFIDENT)
        total = confident.sum().clamp(min=1.0)
        # Bernoulli KL, weighted by whichever of the two sees an object.
        cross, entropy = (
            F.binary_cross_entropy_with_logits(logits[:, 4], q, reduction="none")
            for logits in (student, teacher)
        )
        gap = (cross - entropy) * torch.maximum(p.detach(), q)
        objectness = gap.sum() / total
        kinds = F.kl_div(
            F.log_softmax(student[:, 5:] / temperature, dim=1),
            F.log_softmax(teacher[:, 5:] / temperature, dim=1),
            log_target=True,
            reduction="none",
        ).sum(1)
        logits = objectness + (kinds * confident).sum() / total * temperature**2
        if logits_only:
            return logits
        distance = (student[:, :4] - teacher[:, :4]).abs().mean(1)
        return logits + (distance * confident).sum() / total

    def meter(self, split: Any) -> DetectionMeter:
        """pycocotools on the split's own annotations."""
        return DetectionMeter(self.class_names, split)

    def floor(self, split: Split) -> tuple[str, float]:
        """A twentieth of all that could be found at half an overlap."""
        return DET.metrics[1], LEARNED_MAP50

    @staticmethod
    def losses(
        truth: DetItem, to_model: np.ndarray, before: Prediction, after: Prediction
    ) -> tuple[float, dict[str, float], list[int]]:
        """Objects that were found and no longer are, and new false alarms."""
        assert before.boxes is not None and after.boxes is not None
        labels = to_model[truth.labels]
        return box_losses(truth.boxes_xyxy_px, labels, truth.crowd, before.boxes, after.boxes)


def inside_any(points: Tensor, boxes: Tensor) -> Tensor:
    """A x 2 points and K x 4 boxes -> A bool."""
    left_top = points[:, None] - boxes[None, :, :2]
    right_bottom = boxes[None, :, 2:] - points[:, None]
    return (torch.cat([left_top, right_bottom], -1).amin(-1) > 0).any(1)
