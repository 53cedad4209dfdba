"""Training pictures as random views, the same ones for the same seed wherever a run resumes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision import tv_tensors

from mtl_core.config import ModelConfig, StageConfig
from mtl_core.data.layout import Split
from mtl_core.data.views import COLOUR, mosaic, random_view, uniform
from mtl_core.tasks import TASKS
from mtl_core.tasks.base import Task

CACHE_BYTES = 2 * 2**30  # decoded pictures kept in memory; beyond it they are decoded again


def sample_seed(*parts: object) -> int:
    """A 32-bit seed from anything printable; equal parts give equal seeds on every machine."""
    return zlib.crc32("/".join(str(p) for p in parts).encode())


class ViewDataset(Dataset):
    """Random views of one split.

    Indices are (epoch, picture): a view depends on the seed, the epoch and the picture alone, not
    on the order or the process in which it is made, so a resumed run sees what it would have seen.

    Args:
        split: the pictures and their labels.
        to_model: the network's class index for every class of the split.
    """

    def __init__(
        self,
        split: Split,
        to_model: np.ndarray,
        stage: StageConfig,
        config: ModelConfig,
        seed: int,
    ) -> None:
        self.split, self.stage, self.config, self.seed = split, stage, config, seed
        self.task = TASKS[split.task]
        self.to_model = torch.from_numpy(to_model)
        self.cache: dict[int, dict[str, Any]] = {}
        self.cached_bytes = 0

    def __len__(self) -> int:
        return len(self.split.items)

    def sample(self, index: int) -> dict[str, Any]:
        """One decoded picture with its labels as tv_tensors, in the network's class indices."""
        if index in self.cache:
            return self.cache[index]
        pixels, truth = self.task.read(self.split.items[index], self.split)
        sample = self.task.labels(truth, self.to_model, (pixels.shape[0], pixels.shape[1]))
        sample["pixels"] = tv_tensors.Image(torch.from_numpy(pixels.copy()).permute(2, 0, 1))
        if self.cached_bytes < CACHE_BYTES:
            self.cache[index] = sample
            self.cached_bytes += pixels.nbytes
        return sample

    def mosaic_share(self, epoch: int) -> float:
        """None in the last fifth, so that training ends on pictures as evaluation shows them.

        As Z. Ge et al., "YOLOX", 2021, section 2.1, close it for the last epochs.
        """
        return self.stage.mosaic if epoch < 0.8 * self.stage.epochs else 0.0

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Any]:
        """(epoch, picture) -> 3 x S x S uint8 and the task's target."""
        epoch, index = key
        side = self.stage.crop_px
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(sample_seed(self.seed, self.stage.task, epoch, index))
            if self.stage.mosaic and uniform(0, 1) < self.mosaic_share(epoch):
                others = torch.randint(len(self), (3,)).tolist()
                samples = [self.sample(i) for i in [index, *others]]
                view = mosaic(samples, self.stage, self.config, side)
            else:
                view = random_view(self.sample(index), self.stage, self.config, (side, side))
            pixels = COLOUR(view["pixels"]).as_subclass(Tensor)
        return pixels, self.task.target(view)


class EpochOrder(Sampler):
    """A shuffled epoch, as (epoch, picture) keys; the last short batch is dropped if it may be."""

    def __init__(self, size: int, batch: int, seed: int) -> None:
        self.size, self.seed, self.epoch = size, seed, 0
        self.length = max(size // batch * batch, min(size, batch))

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[int, int]]:
        generator = torch.Generator().manual_seed(sample_seed(self.seed, "order", self.epoch))
        order = torch.randperm(self.size, generator=generator)[: self.length]
        return iter([(self.epoch, i) for i in order.tolist()])


def one_thread(worker: int) -> None:
    """A worker decodes and resizes; more threads would only take cores from the training."""
    torch.set_num_threads(1)


def training_loader(
    dataset: ViewDataset, task: Task, workers: int
) -> tuple[DataLoader, EpochOrder]:
    """Batches (N x 3 x S x S uint8, targets) and the order whose ``epoch`` is to be set."""
    order = EpochOrder(len(dataset), dataset.stage.batch, dataset.seed)

    def collate(samples: list[tuple[Tensor, Any]]) -> tuple[Tensor, Any]:
        pixels, targets = zip(*samples, strict=True)
        return torch.stack(pixels), task.collate(list(targets))

    loader = DataLoader(
        dataset,
        batch_size=dataset.stage.batch,
        sampler=order,
        num_workers=workers,
        collate_fn=collate,
        persistent_workers=workers > 0,  # a worker keeps its decoded pictures
        worker_init_fn=one_thread,
    )
    return loader, order
