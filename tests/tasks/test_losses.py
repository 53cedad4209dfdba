"""Losses on ordinary and on extreme inputs, distillation distances, and an image overfitted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.tasks import build_tasks
from mtl_core.tasks.base import Task
from mtl_core.tasks.detection import DetectionTarget

NAMES = {"seg": ["background", "a", "b"], "det": ["a", "b"], "cls": ["a", "b", "c"]}
TASKS: dict[str, Task] = {task.id: task for task in build_tasks(NAMES)}
SHAPES = {"seg": (2, 3, 16, 16), "det": (2, 7, 8, 8), "cls": (2, 3)}  # of 64 px
NOTHING = DetectionTarget(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4))


def boxed(*boxes: list[float], ignore: tuple = ()) -> DetectionTarget:
    return DetectionTarget(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.arange(len(boxes)) % 2,
        torch.tensor(ignore, dtype=torch.float32).reshape(-1, 4),
    )


VOID = torch.full((64, 64), 255, dtype=torch.uint8)
HALF = torch.cat([torch.zeros(64, 32), torch.ones(64, 32)], 1).to(torch.uint8)
# remark, task, the two targets of a batch
TARGETS = [
    ("no objects", "det", [NOTHING, NOTHING]),
    ("objects in one image alone", "det", [boxed([8, 8, 40, 40], [20, 20, 60, 60]), NOTHING]),
    ("one pixel", "det", [boxed([30, 30, 31, 31]), NOTHING]),
    ("nothing but regions to ignore", "det", [boxed(ignore=([0, 0, 64, 64],))] * 2),
    ("twice the same box", "det", [boxed([8, 8, 40, 40], [8, 8, 40, 40]), NOTHING]),
    ("void everywhere", "seg", [VOID, VOID]),
    ("one image void", "seg", [VOID, HALF]),
    ("plain masks", "seg", [HALF, HALF]),
    ("labels", "cls", [0, 2]),
]
IDS = [row[0] for row in TARGETS]


@pytest.mark.parametrize("scale", [0.0, 1.0, 8.0])
@pytest.mark.parametrize(("task", "targets"), [row[1:] for row in TARGETS], ids=IDS)
def test_losses_and_gradients_are_finite(task: str, targets: list, scale: float):
    torch.manual_seed(0)
    raw = (torch.randn(SHAPES[task]) * scale).requires_grad_()
    terms = TASKS[task].loss(raw, TASKS[task].collate(targets))
    total = torch.stack(list(terms.values())).sum()
    total.backward()
    assert total.isfinite() and raw.grad is not None and raw.grad.isfinite().all()
    assert all(value.item() >= 0 for value in terms.values())


@pytest.mark.parametrize("axis", [1, 2], ids=["upside down", "mirrored"])
def test_labels_are_sampled_where_decoding_puts_the_cells(axis: int):
    """At a stride of 4 a cell's middle lies between pixels: sampled at one of them, turning the
    image would change the loss.
    """
    torch.manual_seed(0)
    raw, targets = torch.randn(1, 3, 16, 16), torch.randint(0, 3, (1, 64, 64))
    turned = TASKS["seg"].loss(raw.flip(axis + 1), targets.flip(axis))
    for name, term in TASKS["seg"].loss(raw, targets).items():
        assert term.item() == pytest.approx(turned[name].item(), rel=1e-5)


def test_void_pixels_and_ignored_cells_teach_nothing():
    raw = torch.randn(SHAPES["seg"]).requires_grad_()
    sum(TASKS["seg"].loss(raw, TASKS["seg"].collate([VOID, HALF])).values()).backward()
    assert raw.grad is not None and not raw.grad[0].any() and raw.grad[1].any()
    raw = torch.randn(SHAPES["det"]).requires_grad_()
    left = boxed(ignore=([0, 0, 32, 64],))
    sum(TASKS["det"].loss(raw, [left, left]).values()).backward()
    assert raw.grad is not None
    assert not raw.grad[..., :4].any() and raw.grad[:, 4, :, 4:].all()


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_distillation_is_zero_only_when_equal(task: str, temperature: float):
    torch.manual_seed(1)
    for _ in range(5):
        teacher = torch.randn(SHAPES[task])
        same = TASKS[task].distill(teacher.clone(), teacher, temperature)
        assert same.item() == pytest.approx(0, abs=1e-5)
        student = (teacher + torch.randn_like(teacher)).requires_grad_()
        other = TASKS[task].distill(student, teacher, temperature)
        other.backward()
        assert other.item() > 0.01
        assert student.grad is not None and student.grad.isfinite().all() and student.grad.any()


def test_boxes_are_distilled_where_the_teacher_sees_objects():
    teacher = torch.zeros(1, 7, 8, 8)
    teacher[:, 4] = -9
    teacher[:, 4, 2, 3] = 4
    for row, column, expected in [(2, 3, True), (5, 5, False)]:
        student = teacher.clone()
        student[:, :4, row, column] += 1
        assert (TASKS["det"].distill(student, teacher, 2.0).item() > 0.1) == expected


TRUTHS: list[tuple[str, Any]] = [
    ("seg", HALF),
    ("det", boxed([8, 8, 40, 40], [30, 36, 60, 60])),
    ("cls", 2),
]


@pytest.mark.parametrize(("task", "target"), TRUTHS)
def test_one_image_is_learned_by_heart(tiny_model, task: str, target: Any):
    torch.manual_seed(0)
    network = UnifiedVisionSystem(replace(tiny_model), build_tasks({task: NAMES[task]})).train()
    pixels = torch.randn(1, 3, 64, 64).repeat(2, 1, 1, 1)
    targets = network.tasks[task].collate([target, target])
    parameters = [*network.neck.parameters(), *network.head.parameters()]
    optimizer = torch.optim.Adam([*parameters, *network.readouts.parameters()], 1e-2)
    with torch.no_grad():
        features = network.backbone(pixels)
    losses = []
    for _ in range(40):
        slices = network.head(network.neck(features))
        raw: Tensor = network.readouts[task](slices[task], features[-1])
        loss = torch.stack(list(network.tasks[task].loss(raw, targets).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    # Label smoothing leaves classification a floor of about 0.43.
    assert losses[-1] < 0.5 * losses[0]
