"""What a run is made of. Every field says its unit; contradictions are refused where they stand."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from mtl_core.old_names import renamed_keys
from mtl_core.types import InputError


@dataclass(frozen=True)
class ModelConfig:
    """The network's shape; stored in every checkpoint's header."""

    backbone: str = "tf_efficientnet_b0"  # any timm name with features at strides 8, 16 and 32
    frozen_blocks: int = 8  # MBConv blocks frozen after the stem, counted from the input
    levels: tuple[int, ...] = (3, 4, 5)  # pyramid levels fused; level l has stride 2**l pixels
    neck_channels: int = 128  # channels of the fused map
    head_channels: int = 256  # channels of the two shared head layers
    head_kind: Literal["separable", "dense"] = "separable"  # depthwise + 1 x 1, or 3 x 3
    head_dilations: tuple[int, int] = (1, 2)  # of the two spatial layers, in cells of the map
    input_px: int = 512  # long side of an image at evaluation, pixels
    max_enlarge: float = 1.5  # a small image is enlarged at most by this; blur informs nobody
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)  # of the backbone's pretraining, per channel
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        if self.input_px % 32:
            raise InputError(f"model.input_px is {self.input_px}, expected a multiple of 32.")
        if not set(self.levels) <= {3, 4, 5} or 3 not in self.levels:
            raise InputError(f"model.levels is {self.levels}, expected 3 and any of 4 and 5.")


@dataclass(frozen=True)
class StageConfig:
    """One task's stage."""

    task: str  # its id
    epochs: int
    lr: float  # peak rate of the output layer; the other parts use it times their factor
    lr_backbone: float = 0.2  # factor for the trainable blocks of the backbone; 0 freezes them
    lr_shared: float = 1.0  # factor for the neck and the two shared head layers
    lr_old: float = 0.1  # factor for the output slices of the tasks trained earlier
    batch: int = 16  # images per optimizer step
    crop_px: int = 320  # side of the training crops, pixels
    scale: tuple[float, float] = (0.5, 1.6)  # jitter about the size that evaluation uses
    mosaic: float = 0.0  # share of samples made of four images, where the task can join them
    temperature: float = 2.0  # of the distilled logits
    distill: dict[str, float] = field(default_factory=dict)  # weight per earlier task
    distill_neck: float = 0.0  # weight of the distilled neck features

    def __post_init__(self) -> None:
        if self.crop_px % 32:
            raise InputError(f"stage.crop_px is {self.crop_px}, expected a multiple of 32.")
        if self.task in self.distill:
            raise InputError(f"stage {self.task} distils itself: name only earlier tasks.")


@dataclass(frozen=True)
class RunConfig:
    """A whole run: the network and its stages in order."""

    preset: str
    model: ModelConfig
    stages: tuple[StageConfig, ...]
    method: str = "distill"  # how forgetting is met: a file of mtl_core/retention
    strength: float = 1.0  # factor on all that the method adds to the loss
    seed: int = 0
    weight_decay: float = 0.02  # AdamW, on convolution and linear weights only
    warmup: float = 0.1  # share of a stage's steps in which the one-cycle rate rises
    clip_norm: float = 5.0  # gradient norm above which it is scaled down
    ema_decay: float = 0.995  # per optimizer step; the averaged weights are what is shipped
    subset_every: int = 2  # epochs between looks at the subset images inside a stage
    subset_steps: int = 0  # optimizer steps between such looks; 0 goes by subset_every
    subset_n: int = 40  # validation images per task in a subset; they only record
    # least final score per task id that counts as learned; by default as analysis/floors.py says
    floors: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tasks = [stage.task for stage in self.stages]
        if len(set(tasks)) != len(tasks) or not tasks:
            raise InputError(f"stages train {tasks}, expected each task at most once.")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)

    @staticmethod
    def from_dict(content: dict[str, Any]) -> RunConfig:
        """The inverse of to_dict.

        Raises:
            InputError: a field is missing or unknown.
        """
        content = renamed_keys(content)
        try:
            return RunConfig(
                **{
                    **content,
                    "model": model_from_dict(content["model"]),
                    "stages": tuple(
                        StageConfig(**{**s, "scale": tuple(s["scale"])}) for s in content["stages"]
                    ),
                }
            )
        except (KeyError, TypeError) as error:
            raise InputError(f"The run's config does not fit this version: {error}.") from error


def model_from_dict(content: dict[str, Any]) -> ModelConfig:
    """ModelConfig from JSON, where tuples have become lists."""
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
    return ModelConfig(**fields)
