"""A network scored on a split; what training records and the evaluate command print."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtl_core.data.layout import Split
from mtl_core.data.tensor_input import to_input
from mtl_core.metrics.base import Score
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.types import Prediction

Frozen = Callable[[Tensor], list[Tensor]]


@torch.no_grad()
def predict_task(
    network: UnifiedVisionSystem, frozen: Frozen, image: np.ndarray, task: str
) -> Prediction:
    """One task's part of one image's prediction.

    Args:
        network: in eval mode.
        frozen: its frozen half, N x 3 x H x W -> maps.
        image: H x W x 3 uint8 RGB.
        task: which part to decode.
    """
    pixels, box = to_input(image, network.config)
    device = next(network.parameters()).device
    outputs = network.rest(frozen(pixels.to(device)))
    part = network.tasks[task].decode(outputs.raw[task][0].float().cpu().numpy(), box)
    names = {t: k.class_names for t, k in network.tasks.items()}
    return Prediction(box.size_hw, names, {task: part})


def measure(
    network: UnifiedVisionSystem,
    frozen: Frozen,
    split: Split,
    progress: Callable[[list], Iterable] = iter,
    keep: Callable[[Any, Prediction], None] | None = None,
) -> Score:
    """Score a network on one task's split.

    Args:
        network: any mode; it is put back into it.
        frozen: the network's frozen half.
        split: its task decides what is measured; its class names are matched by name.
        progress: wraps the list of items, to show how far it is.
        keep: called with every item and its prediction.

    Raises:
        InputError: the data has a class that the network was never trained, or a file is damaged.
    """
    task = network.tasks[split.task]
    meter = task.meter(split)
    was_training = network.training
    network.eval()
    for item in progress(split.items):
        image, truth = task.read(item, split)
        prediction = predict_task(network, frozen, image, split.task)
        meter.add(prediction, truth)
        if keep is not None:
            keep(item, prediction)
    network.train(was_training)
    return meter.score()


def score_rows(score: Score, place: dict[str, Any], scope: str) -> list[dict[str, Any]]:
    """A score as lines of records.jsonl; the classes stand with the first metric."""
    rows = []
    for i, (metric, value) in enumerate(score.values.items()):
        per_class = {k: round(v, 5) for k, v in score.per_class.items()} if i == 0 else {}
        rows.append(
            place
            | {"metric": metric, "value": value, "per_class": per_class}
            | {"n": score.n, "scope": scope}
        )
    return rows
