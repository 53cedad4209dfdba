"""A training of about a minute, on rendered scenes: its images, its recipe, its trainer."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from mtl_core.learning.run_data import RunData
from mtl_core.learning.trainer import Trainer
from mtl_core.presets import quick
from mtl_core.tasks.rendered_sets import render_dataset

COUNTS = {"train": 160, "val": 40}  # images per task
SIZE_PX = 128
WEIGHTS = Path(__file__).parents[2] / "assets/weights/tf_efficientnet_b0_distilled.safetensors"


@dataclass(frozen=True)
class QuickRun:
    """What can be chosen of it.

    Attributes:
        method: against forgetting.
        order: of the tasks.
        strength: factor on what the method adds to the loss.
        seed: of the weights and of the views of the images.
        epochs: of every stage, instead of the recipe's; 0 leaves them.
    """

    method: str
    order: tuple[str, ...]
    strength: float = 1.0
    seed: int = 0
    epochs: int = 0

    def trainer(
        self,
        scenes: Path,
        out: Path,
        *,
        start: Path | None = None,
        feature_store: Path | None = None,
        workers: int = 1,
        threads: int = 0,
    ) -> Trainer:
        """A trainer from the shipped weights, or from timm's where those are not at hand.

        ``Trainer`` says what else is given.

        Args:
            scenes: folder that ``rendered`` made.
            out: the run directory.

        Raises:
            InputError: a choice is out of range.
        """
        config = replace(
            quick(self.order), method=self.method, strength=self.strength, seed=self.seed
        )
        if self.epochs:
            stages = tuple(replace(stage, epochs=self.epochs) for stage in config.stages)
            config = replace(config, stages=stages)
        return Trainer(
            config,
            RunData.read(self.order, scenes),
            out,
            init=WEIGHTS if WEIGHTS.is_file() else None,
            start=start,
            feature_store=feature_store,
            workers=workers,
            threads=threads,
        )


def rendered(folder: Path, counts: dict[str, int] | None = None) -> Path:
    """The scenes below a folder, rendered where they are not there yet.

    Another process never sees half of them: they are moved into place when they are whole.
    """
    counts = counts or COUNTS
    scenes = folder / "-".join(["scenes", *map(str, counts.values())])
    if not scenes.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            part = Path(place) / "part"
            render_dataset(part, counts, SIZE_PX)
            with suppress(OSError):  # another process was first
                part.rename(scenes)
    return scenes
