"""A network scored on a split; what training records and the evaluate command print."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtl_core.data.splits import Split
from mtl_core.data.tensor_input import to_input
from mtl_core.metrics.base import Meter, Score
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
    outputs = network(features=frozen(pixels.to(device)))
    part = network.tasks[task].decode(outputs.raw[task][0].float().cpu().numpy(), box)
    names = {t: k.class_names for t, k in network.tasks.items()}
    return Prediction(box.size_hw, names, {task: part})


def measuring(
    network: UnifiedVisionSystem,
    frozen: Frozen,
    split: Split,
    keep: Callable[[Any, Prediction], None] | None = None,
) -> Generator[int, None, Score]:
    """Score a network on one task's split, image by image.

    Args:
        network: any mode; it is put back into it.
        frozen: the network's frozen half.
        split: its task decides what is measured; its class names are matched by name.
        keep: called with every item and its prediction.

    Yields:
        How many images are done.

    Returns:
        The score.

    Raises:
        InputError: the data has a class that the network was never trained, or a file is damaged.
    """
    task = network.tasks[split.task]
    meter: Meter = task.meter(split)
    was_training = network.training
    network.eval()
    for done, item in enumerate(split.items, start=1):
        image, truth = task.read(item, split)
        prediction = predict_task(network, frozen, image, split.task)
        meter.add(prediction, truth)
        if keep is not None:
            keep(item, prediction)
        yield done
    network.train(was_training)
    return meter.score()


def measure(
    network: UnifiedVisionSystem,
    frozen: Frozen,
    split: Split,
    progress: Callable[[list[Any]], Iterable[Any]] = iter,
    keep: Callable[[Any, Prediction], None] | None = None,
) -> Score:
    """As measuring, at once.

    Args:
        progress: wraps the list of items, to show how far it is.
    """
    running = measuring(network, frozen, split, keep)
    for _ in progress(split.items):
        next(running)
    try:
        next(running)
    except StopIteration as ended:
        score: Score = ended.value
        return score
    raise AssertionError("every item was measured")


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
