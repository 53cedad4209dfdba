"""The same view for the same seed, epoch and image, wherever and whenever it is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mtl_core.data.datasets import (
    CACHE_BYTES,
    AugmentedImages,
    BatchOrder,
    TrainingSet,
    training_loader,
)
from mtl_core.data.splits import Split
from mtl_core.presets import tiny
from mtl_core.tasks import TASKS
from mtl_core.tasks.data_roots import DataRoots, read_split
from mtl_core.tasks.detection import DetectionTarget
from mtl_core.types import InputError

STAGES = {stage.task: replace(stage, crop_px=64, batch=4) for stage in tiny().stages}
STAGES["det"] = replace(STAGES["det"], mosaic=0.5)


def dataset(roots: DataRoots, task: str, seed: int = 0) -> AugmentedImages:
    split = read_split(roots, task, "train")
    names = np.arange(len(split.class_names))
    own = TASKS[task](split.class_names)
    return AugmentedImages(own, split, names, STAGES[task], tiny().model, seed)


def flat(target: Any) -> list:
    if isinstance(target, DetectionTarget):
        return [target.boxes.tolist(), target.labels.tolist(), target.ignore.tolist()]
    return target.tolist() if isinstance(target, torch.Tensor) else [target]


@pytest.mark.parametrize("task", list(STAGES))
def test_a_view_depends_on_seed_epoch_and_image_alone(rendered: DataRoots, task: str):
    views = dataset(rendered, task)
    keys = [(0, 3, 0), (1, 3, 0), (0, 5, 0), (0, 6, 0), (0, 3, 1)]
    first = {key: views[key] for key in keys}
    again = dataset(rendered, task)
    torch.manual_seed(99)
    for key in reversed(keys):
        pixels, target = again[key]
        assert torch.equal(pixels, first[key][0])
        assert flat(target) == flat(first[key][1])
    others = [first[1, 3, 0], first[0, 3, 1], dataset(rendered, task, seed=1)[0, 3, 0]]
    assert not any(torch.equal(first[0, 3, 0][0], other[0]) for other in others)


def test_the_global_generator_is_left_alone(rendered: DataRoots):
    views = dataset(rendered, "seg")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    views[0, 0, 0]
    assert torch.equal(torch.rand(3), expected)


def test_decoded_images_are_kept_within_the_bound(rendered: DataRoots):
    views, bounded = dataset(rendered, "seg"), dataset(rendered, "seg")
    views.sample(0)
    one = views.cached_bytes
    bounded.cache_bytes = 2 * one + one // 2
    for index in range(6):
        assert torch.equal(bounded[0, index, 0][0], views[0, index, 0][0])
    assert len(views.cache) == 6 and 1 <= len(bounded.cache) < 6
    assert bounded.cached_bytes <= bounded.cache_bytes
    train_sets = {
        task: TrainingSet(TASKS[task](["a", "b"]), dataset(rendered, task)) for task in STAGES
    }
    training_loader(train_sets, 0, workers=2)
    assert {train_set.views.cache_bytes for train_set in train_sets.values()} == {CACHE_BYTES // 6}


def test_workers_change_nothing(rendered: DataRoots):
    batches = []
    for workers in (0, 1):
        views = dataset(rendered, "det")
        train_set = TrainingSet(TASKS["det"](views.split.class_names), views)
        loader, batch_order = training_loader({"det": train_set}, 0, workers)
        batch_order.epoch = 1
        batches.append(list(loader))
    assert len(batches[0]) == len(batches[1]) == 4
    for (_, a, targets_a), (_, b, targets_b) in zip(*batches, strict=True):
        assert torch.equal(a, b)
        assert [flat(t) for t in targets_a] == [flat(t) for t in targets_b]


@pytest.mark.parametrize(
    ("size", "batch", "length"),
    [
        (10, 4, 8),  # the last short batch is dropped
        (8, 4, 8),
        (3, 4, 3),  # unless it is the only one
    ],
)
def test_an_epoch_is_shuffled_anew_and_repeatable(size: int, batch: int, length: int):
    batch_order = BatchOrder({"seg": train_set_of("seg", size, 3, batch)}, seed=0)
    epochs = []
    for epoch in (0, 1, 0):
        batch_order.epoch = epoch
        epochs.append([key for keys in batch_order for key in keys])
    assert all(len(set(e)) == len(e) == length for e in epochs)
    assert epochs[0] == epochs[2]
    assert {(task, epoch) for task, epoch, *_ in epochs[1]} == {("seg", 1)}
    if length > 3:
        assert [key[2] for key in epochs[0]] != [key[2] for key in epochs[1]]


def train_set_of(task: str, size: int, epochs: int, batch: int) -> Any:
    """As much of a set as the order of batches reads: the views, of no image in particular."""
    items = [SimpleNamespace(image=Path(f"{i}.jpg")) for i in range(size)]
    stage = replace(STAGES[task], epochs=epochs, batch=batch)
    split = Split(["a"], items, "train", task=task)
    views = AugmentedImages(TASKS[task](["a"]), split, np.arange(1), stage, tiny().model, 0)
    return SimpleNamespace(views=views)


def test_train_sets_trained_together_see_what_each_would_see_alone():
    train_sets = {"seg": train_set_of("seg", 13, 2, 4), "det": train_set_of("det", 9, 5, 2)}
    together = BatchOrder(train_sets, seed=0)
    found: dict[str, list] = {"seg": [], "det": []}
    mixed = []
    for epoch in range(together.epochs):
        together.epoch = epoch
        batches = list(together)
        assert len(batches) == len(together)
        mixed += [keys[0][0] for keys in batches]
        for keys in batches:
            assert len({task for task, *_ in keys}) == 1
            found[keys[0][0]] += [key[1:] for key in keys]
    assert together.epochs == 5 and len(mixed) == together.total == 2 * 3 + 5 * 4
    assert mixed != sorted(mixed) and mixed != sorted(mixed, reverse=True)
    for task, train_set in train_sets.items():
        alone = BatchOrder({task: train_set}, seed=0)
        wanted = []
        for epoch in range(alone.epochs):
            alone.epoch = epoch
            wanted += [key[1:] for keys in alone for key in keys]
        assert sorted(found[task]) == sorted(wanted)


def test_classes_are_trained_under_the_networks_indices(rendered: DataRoots):
    split = read_split(rendered, "cls", "train")
    turned = np.arange(len(split.class_names))[::-1].copy()
    own = TASKS["cls"](split.class_names)
    views = AugmentedImages(own, split, turned, STAGES["cls"], tiny().model, 0)
    for i, item in enumerate(split.items):
        assert views[0, i, 0][1] == len(split.class_names) - 1 - item.label


def test_the_last_fifth_of_the_epochs_is_as_evaluation_shows_it(rendered: DataRoots):
    views = dataset(rendered, "det")
    views.stage = replace(views.stage, epochs=10, mosaic=1.0, late_crop_px=96)
    assert [views.is_late(epoch) for epoch in (0, 7, 8, 9)] == [False, False, True, True]
    assert views[7, 0, 0][0].shape == (3, 64, 64) and views[8, 0, 0][0].shape == (3, 96, 96)


def test_an_epoch_goes_on_in_its_middle():
    order = BatchOrder({"seg": train_set_of("seg", 20, 3, 4)}, seed=0)
    whole = list(order)
    order.done = 2
    assert list(order) == whole[2:] and len(order) == 3


def test_a_mosaic_of_labels_that_cannot_be_joined_is_refused(rendered: DataRoots):
    split = read_split(rendered, "seg", "train")
    stage = replace(STAGES["seg"], mosaic=0.5)
    with pytest.raises(InputError, match=r"stages\.seg\.mosaic is 0\.5"):
        AugmentedImages(TASKS["seg"](["a"]), split, np.arange(1), stage, tiny().model, 0)
