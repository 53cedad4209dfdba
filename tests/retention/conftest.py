"""Stages that tell which images were read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from mtl_core.data.datasets import AugmentedImages, TrainingSet
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.presets import tiny
from mtl_core.tasks import build_tasks
from mtl_core.tasks.data_roots import DataRoots, read_split


class WatchedViews(AugmentedImages):
    """Remembers every image that was looked at."""

    def sample(self, index):
        self.__dict__.setdefault("read", []).append(index)
        return super().sample(index)


@pytest.fixture
def tiny_network(rendered: DataRoots) -> UnifiedVisionSystem:
    """The narrow network with the rendered set's classes; the same weights every time."""
    torch.manual_seed(0)
    stages = tiny().stages
    names = {s.task: read_split(rendered, s.task, "train").class_names for s in stages}
    return UnifiedVisionSystem(tiny().model, build_tasks(names))


@pytest.fixture
def train_sets(
    rendered: DataRoots, tiny_network: UnifiedVisionSystem
) -> Callable[[], dict[str, TrainingSet]]:
    """All three stages of the rendered set, watched."""

    def make() -> dict[str, TrainingSet]:
        found = {}
        for stage in tiny().stages:
            split = read_split(rendered, stage.task, "train")
            names = np.arange(len(split.class_names))
            # Mosaics read other images, too: a memory must not.
            mosaic = 0.5 if stage.task == "det" else 0.0
            task = tiny_network.tasks[stage.task]
            views = WatchedViews(task, split, names, replace(stage, mosaic=mosaic), tiny().model, 0)
            found[stage.task] = TrainingSet(task, views)
        return found

    return make
