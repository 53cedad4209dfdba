"""Training images as random views, the same ones for the same seed wherever a run resumes."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from fnmatch import fnmatch
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision import tv_tensors

from mtl_core.config import ModelConfig, StageConfig
from mtl_core.data.augment import COLOUR, mosaic, random_view, uniform
from mtl_core.data.sampling import favouring_order, repeat_factors
from mtl_core.data.splits import Split
from mtl_core.types import InputError

ViewKey = tuple[str, int, int, int]  # task, epoch, image, turn
Batch = tuple[str, Tensor, Any]  # task, pixels, targets; of one image or of many
CACHE_BYTES = 2 * 2**30  # of decoded images kept by all workers; others are decoded again


def sample_seed(*parts: object) -> int:
    """A 32-bit seed from anything printable; equal parts give equal seeds on every machine."""
    return zlib.crc32("/".join(str(p) for p in parts).encode())


class ImageTask(Protocol):
    """What training images ask of a task; ``tasks.base.Task`` says what each member is."""

    joins_images: bool

    @property
    def id(self) -> str: ...  # noqa: D102
    def read(self, item: Any, split: Split) -> tuple[np.ndarray, Any]: ...  # noqa: D102
    def classes(self, item: Any) -> set[int]: ...  # noqa: D102
    def labels(self, truth: Any, to_model: Tensor, size_hw: tuple[int, int]) -> dict[str, Any]: ...  # noqa: D102
    def target(self, view: dict[str, Any]) -> Any: ...  # noqa: D102
    def collate(self, targets: list[Any]) -> Any: ...  # noqa: D102
    def loss(self, raw: Tensor, targets: Any) -> dict[str, Tensor]: ...  # noqa: D102


class AugmentedImages(Dataset[tuple[Tensor, Any]]):
    """Random views of one split.

    Indices are (epoch, image, turn): a view depends on them and the seed alone, not on the order or
    the process in which it is made, so a resumed run sees what it would have seen. The turn counts
    how often the image was drawn before in the same epoch.

    Args:
        task: how its labels are read and moved with the pixels.
        split: the images and their labels.
        to_model: the network's class index for every class of the split.

    Raises:
        InputError: the stage joins images of a task that has no way to.
    """

    def __init__(
        self,
        task: ImageTask,
        split: Split,
        to_model: np.ndarray,
        stage: StageConfig,
        config: ModelConfig,
        seed: int,
    ) -> None:
        self.split, self.stage, self.config, self.seed = split, stage, config, seed
        self.task = task
        if stage.mosaic and not task.joins_images:
            raise InputError(
                f"stages.{stage.task}.mosaic is {stage.mosaic}, expected 0: this task's labels "
                "cannot be joined."
            )
        self.to_model = torch.from_numpy(to_model)
        self.cache: dict[int, dict[str, Any]] = {}
        self.cached_bytes, self.cache_bytes = 0, CACHE_BYTES

    def __len__(self) -> int:
        return len(self.split.items)

    def sample(self, index: int) -> dict[str, Any]:
        """One decoded image with its labels as tv_tensors, in the network's class indices."""
        if index in self.cache:
            return self.cache[index]
        pixels, truth = self.task.read(self.split.items[index], self.split)
        sample = self.task.labels(truth, self.to_model, (pixels.shape[0], pixels.shape[1]))
        sample["pixels"] = tv_tensors.Image(torch.from_numpy(pixels.copy()).permute(2, 0, 1))
        size = sum(part.nbytes for part in sample.values() if isinstance(part, Tensor))
        if self.cached_bytes + size <= self.cache_bytes:
            self.cache[index] = sample
            self.cached_bytes += size
        return sample

    def is_late(self, epoch: int) -> bool:
        """Whether an epoch is of the last fifth, in which images are as evaluation shows them.

        As Z. Ge et al., "YOLOX", 2021, section 2.1, close mosaics for the last epochs.
        """
        return epoch >= 0.8 * self.stage.epochs

    def __getitem__(self, key: tuple[int, int, int]) -> tuple[Tensor, Any]:
        """(epoch, image, turn) -> 3 x S x S uint8 and the task's target."""
        epoch, index, turn = key
        late = self.is_late(epoch)
        side = (late and self.stage.late_crop_px) or self.stage.crop_px
        again = (turn,) if turn else ()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(sample_seed(self.seed, self.stage.task, epoch, index, *again))
            if self.stage.mosaic and uniform(0, 1) < (0.0 if late else self.stage.mosaic):
                others = torch.randint(len(self), (3,)).tolist()
                samples = [self.sample(i) for i in [index, *others]]
                view = mosaic(samples, self.stage, self.config, side)
            else:
                view = random_view(self.sample(index), self.stage, self.config, (side, side))
            pixels = COLOUR(view["pixels"]).as_subclass(Tensor)
        return pixels, self.task.target(view)

    @cached_property
    def draw_factors(self) -> Tensor:
        """Per image how often it is drawn beside others; see ``sampling.repeat_factors``."""
        classes = [self.task.classes(item) for item in self.split.items]
        return repeat_factors(classes, self.stage.repeat_below)

    def order(self, epoch: int) -> list[tuple[int, int]]:
        """The images of an epoch as they are drawn, each with its turn."""
        generator = torch.Generator().manual_seed(sample_seed(self.seed, "order", epoch))
        if not self.stage.favour and not self.stage.repeat_below:
            return [(i, 0) for i in torch.randperm(len(self), generator=generator).tolist()]
        names = [item.image.name for item in self.split.items]
        favoured = [fnmatch(name, self.stage.favour) for name in names]
        drawn = favouring_order(favoured, self.draw_factors, self.stage, generator)
        turns: Counter[int] = Counter()
        order = []
        for image in drawn:
            order.append((image, turns[image]))
            turns[image] += 1
        return order


def to_device(value: Any, device: torch.device) -> Any:
    """Targets with all their tensors on a device: a tensor, a list or a dataclass of such."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, list):
        return [to_device(part, device) for part in value]
    if is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: to_device(getattr(value, f.name), device) for f in fields(value)}
        return replace(value, **parts)
    return value


@dataclass
class TrainingSet:
    """A task and the random views of its training images."""

    task: ImageTask
    views: AugmentedImages

    def batch(self, keys: list[tuple[int, int, int]]) -> tuple[Tensor, Any]:
        """(epoch, image, turn) keys -> N x 3 x S x S uint8 and the targets that the task's loss
        takes.

        Asked for one key at a time this is what the loop's own loader gives.
        """
        pixels, targets = zip(*(self.views[key] for key in keys), strict=True)
        return torch.stack(pixels), self.task.collate(list(targets))


class TrainingImages(Dataset[Batch]):
    """The views of several stages; indices are (task, epoch, image, turn)."""

    def __init__(self, train_sets: dict[str, TrainingSet]) -> None:
        self.train_sets = train_sets

    def __len__(self) -> int:
        return sum(len(train_set.views) for train_set in self.train_sets.values())

    def __getitem__(self, key: ViewKey) -> Batch:
        """The task, 3 x S x S uint8 and the task's target."""
        task, epoch, image, turn = key
        return task, *self.train_sets[task].views[epoch, image, turn]

    def collate(self, samples: list[Batch]) -> Batch:
        """Samples of one task -> the task, N x 3 x S x S uint8, targets as its loss takes them."""
        tasks, pixels, targets = zip(*samples, strict=True)
        return tasks[0], torch.stack(pixels), self.train_sets[tasks[0]].task.collate(list(targets))


class BatchOrder(Sampler[list[ViewKey]]):
    """The batches of an epoch: lists of (task, epoch, image, turn) keys, each list of one task.

    A stage alone is shuffled anew in each of its epochs. Several stages at once are spread
    evenly over the epochs of the longest one, their batches in random order, so that each task
    sees what it would see alone. A last short batch is dropped if it may be.

    Args:
        train_sets: what is trained at the same time.
        seed: of the shuffling.

    Attributes:
        epoch: the one to go through.
        done: batches of it that were done before.
    """

    def __init__(self, train_sets: dict[str, TrainingSet], seed: int) -> None:
        self.seed, self.epoch, self.done = seed, 0, 0
        self.views = {task: train_set.views for task, train_set in train_sets.items()}
        self.batch = {task: views.stage.batch for task, views in self.views.items()}
        self.per_epoch = {t: max(1, len(views) // self.batch[t]) for t, views in self.views.items()}
        rounds = {task: views.stage.epochs for task, views in self.views.items()}
        self.totals = {task: rounds[task] * self.per_epoch[task] for task in train_sets}
        self.epochs = max(rounds.values())

    @property
    def total(self) -> int:
        """Batches of all epochs."""
        return sum(self.totals.values())

    def share(self, task: str) -> range:
        """The numbers of a task's batches that fall into this epoch."""
        total, epochs = self.totals[task], self.epochs
        return range(total * self.epoch // epochs, total * (self.epoch + 1) // epochs)

    def __len__(self) -> int:
        return sum(len(self.share(task)) for task in self.totals) - self.done

    def __iter__(self) -> Iterator[list[ViewKey]]:
        batches = [(task, number) for task in self.totals for number in self.share(task)]
        if len(self.totals) > 1:
            generator = torch.Generator().manual_seed(sample_seed(self.seed, "mix", self.epoch))
            shuffled = torch.randperm(len(batches), generator=generator).tolist()
            batches = [batches[i] for i in shuffled]
        orders: dict[tuple[str, int], list[tuple[int, int]]] = {}
        for task, number in batches[self.done :]:
            epoch, place = divmod(number, self.per_epoch[task])
            if (task, epoch) not in orders:
                orders[task, epoch] = self.views[task].order(epoch)
            start = place * self.batch[task]
            chosen = orders[task, epoch][start : start + self.batch[task]]
            yield [(task, epoch, image, turn) for image, turn in chosen]


def one_thread(worker: int) -> None:
    """A worker decodes and resizes; more threads would only take cores from the training."""
    torch.set_num_threads(1)


def training_loader(
    train_sets: dict[str, TrainingSet], seed: int, workers: int
) -> tuple[DataLoader[Batch], BatchOrder]:
    """Batches (task, N x 3 x S x S uint8, targets), and the order of them, whose epoch is set."""
    views, batch_order = TrainingImages(train_sets), BatchOrder(train_sets, seed)
    for train_set in train_sets.values():  # each worker keeps what it decoded itself
        train_set.views.cache_bytes = CACHE_BYTES // (len(train_sets) * max(1, workers))
    loader = DataLoader(
        views,
        batch_sampler=batch_order,
        num_workers=workers,
        collate_fn=views.collate,
        persistent_workers=workers > 0,  # a worker keeps its decoded images
        worker_init_fn=one_thread,
    )
    return loader, batch_order
