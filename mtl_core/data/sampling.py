"""Which images an epoch draws, where some are to be seen oftener than others."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_core.config import StageConfig


def repeat_factors(classes: Sequence[set[int]], repeat_below: float) -> Tensor:
    """Per image the largest sqrt(repeat_below / share) of its classes, at least 1.

    A. Gupta et al., "LVIS: A Dataset for Large Vocabulary Instance Segmentation", CVPR 2019,
    section 5.1.

    Args:
        classes: per image the classes that it shows.
        repeat_below: share of the images below which a class counts as rare.
    """
    counts = Counter(c for shown in classes for c in shown)
    factors = {
        c: max(1.0, math.sqrt(repeat_below * len(classes) / count)) for c, count in counts.items()
    }
    return torch.tensor([max((factors[c] for c in shown), default=1.0) for shown in classes])


def favouring_order(
    favoured: Sequence[bool], factors: Tensor, stage: StageConfig, generator: torch.Generator
) -> list[int]:
    """The images of an epoch in batches of which the favoured ones fill their share.

    Args:
        favoured: per image whether it is.
        factors: per image how often it is drawn beside others of its group.
        stage: its batch and ``favour_share``.
        generator: of the random order.

    Returns:
        As many indices as there are images; one image may stand in it several times.
    """
    groups = {True: [], False: []}  # type: dict[bool, list[int]]
    for image, chosen in enumerate(favoured):
        groups[bool(chosen)].append(image)
    share = math.ceil(stage.favour_share * stage.batch) if groups[True] else 0
    if not groups[False]:
        share = stage.batch
    count = len(favoured)
    places = [place % stage.batch < share for place in range(count)]
    drawn = {
        chosen: iter(draw(images, factors, places.count(chosen), generator))
        for chosen, images in groups.items()
    }
    return [next(drawn[place]) for place in places]


def draw(images: list[int], factors: Tensor, count: int, generator: torch.Generator) -> list[int]:
    """So many of some images in random order; all have come before one comes once more."""
    found: list[int] = []
    while len(found) < count:
        times = (factors[images] + torch.rand(len(images), generator=generator)).floor().long()
        pool = torch.tensor(images).repeat_interleave(times)
        found += pool[torch.randperm(len(pool), generator=generator)].tolist()
    return found[:count]
