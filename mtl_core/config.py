"""What a run is made of. Every field says its unit; what is out of range is refused at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from mtl_core.old_names import renamed_keys
from mtl_core.types import InputError

T = TypeVar("T")


def bounded(default: Any, **bounds: float) -> Any:
    """A field whose numbers lie within bounds: ``above`` (exclusive), ``least``, ``most``."""
    return field(default=default, metadata=bounds)


def needed(**bounds: float) -> Any:
    """As bounded, without a default."""
    return field(metadata=bounds)


def check_fields(config: Any, place: str) -> None:
    """Hold every field of a dataclass to its annotated type and its bounds.

    Args:
        config: a dataclass whose annotations are numbers, strings, literals, tuples and
            dictionaries of them, or other dataclasses, which check themselves.
        place: what the fields' names stand behind in an error.

    Raises:
        InputError: one sentence with the field, its value and what was expected.
    """
    hints = get_type_hints(type(config))
    for described in fields(config):
        value, bounds = getattr(config, described.name), described.metadata
        wanted = _expected(hints[described.name], bounds)
        if wanted and not _fits(value, hints[described.name], bounds):
            raise InputError(f"{place}{described.name} is {value!r}, expected {wanted}.")


def _fits(value: Any, hint: Any, bounds: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in inner
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        kinds = inner[:1] * len(value) if inner[-1] is ... else inner
        pairs = zip(value, kinds, strict=False)
        return len(value) == len(kinds) and all(_fits(v, k, bounds) for v, k in pairs)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(v, inner[1], bounds) for v in value.values())
    if hint is str:
        return isinstance(value, str)
    if hint not in (int, float):
        return True
    number = isinstance(value, int if hint is int else (int, float)) and not isinstance(value, bool)
    return (
        number
        and bounds.get("least", float("-inf")) <= value <= bounds.get("most", float("inf"))
        and bounds.get("above", float("-inf")) < value < float("inf")
    )


def _expected(hint: Any, bounds: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(map(str, inner))
    if origin is tuple:
        count = "" if inner[-1] is ... else f"{len(inner)} "
        return f"{count}numbers{_range(bounds)}"
    if origin is dict:
        return f"a table of names and numbers{_range(bounds)}"
    names = {int: "a whole number", float: "a number", str: "text"}
    return names[hint] + _range(bounds) if hint in names else ""


def _range(bounds: Any) -> str:
    words = {"above": "above", "least": "of at least", "most": "of at most"}
    parts = [f"{words[key]} {bound:g}" for key, bound in bounds.items()]
    return (" " + " and ".join(parts)) if parts else ""


@dataclass(frozen=True)
class ModelConfig:
    """The network's shape; stored in every checkpoint's header."""

    backbone: str = "tf_efficientnet_b0"  # any timm name with features at strides 8, 16 and 32
    frozen_blocks: int = bounded(8, least=0)  # MBConv blocks frozen after the stem, from the input
    levels: tuple[int, ...] = (3, 4, 5)  # pyramid levels fused; level l has stride 2**l pixels
    neck_channels: int = bounded(128, least=1, most=4096)  # channels of the fused map
    head_channels: int = bounded(256, least=4, most=4096)  # channels of the two shared head layers
    head_kind: Literal["separable", "dense"] = "separable"  # depthwise + 1 x 1, or 3 x 3
    # of the spatial layers, in cells
    head_dilations: tuple[int, int] = bounded((1, 2), least=1, most=64)
    input_px: int = bounded(512, least=32, most=2048)  # long side of an image at evaluation, pixels
    max_enlarge: float = bounded(1.5, above=0)  # a small image is enlarged at most by this
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)  # of the backbone's pretraining, per channel
    std: tuple[float, float, float] = bounded((0.5, 0.5, 0.5), above=0)

    def __post_init__(self) -> None:
        check_fields(self, "model.")
        if self.input_px % 32:
            raise InputError(f"model.input_px is {self.input_px}, expected a multiple of 32.")
        if not re.fullmatch(r"[\w.]+", self.backbone):  # never one that timm would fetch
            raise InputError(
                f"model.backbone is {self.backbone!r}, expected a name that timm knows."
            )
        if not set(self.levels) <= {3, 4, 5} or 3 not in self.levels:
            raise InputError(f"model.levels is {self.levels}, expected 3 and any of 4 and 5.")


@dataclass(frozen=True)
class StageConfig:
    """How one task is trained."""

    task: str  # its id
    epochs: int = needed(least=1)
    lr: float = needed(above=0)  # peak rate of the output layer; other parts use it times a factor
    lr_backbone: float = bounded(0.2, least=0)  # factor of its trainable blocks; 0 freezes them
    lr_shared: float = bounded(1.0, least=0)  # factor of the neck and the two shared head layers
    lr_old: float = bounded(0.1, least=0)  # factor of the output slices of earlier tasks
    batch: int = bounded(16, least=1)  # images per optimizer step
    crop_px: int = bounded(320, least=32)  # side of the training crops, pixels
    late_crop_px: int = bounded(0, least=0)  # side in the last fifth of the epochs; 0 as before
    scale: tuple[float, float] = bounded((0.5, 1.6), above=0)  # jitter about evaluation's size
    mosaic: float = bounded(0.0, least=0, most=1)  # share of samples of four images, where it fits
    favour: str = ""  # images whose file name matches this pattern fill favour_share of a batch
    favour_share: float = bounded(0.5, least=0, most=1)
    repeat_below: float = bounded(0.0, least=0, most=1)  # classes in fewer images are drawn oftener
    temperature: float = bounded(2.0, above=0)  # of the distilled logits
    distill: dict[str, float] = field(
        default_factory=dict, metadata={"least": 0}
    )  # by earlier task
    distill_neck: float = bounded(0.0, least=0)  # weight of the distilled neck features

    def __post_init__(self) -> None:
        check_fields(self, f"stages.{self.task}.")
        for name in ("crop_px", "late_crop_px"):
            if getattr(self, name) % 32:
                place = f"stages.{self.task}.{name}"
                raise InputError(f"{place} is {getattr(self, name)}, expected a multiple of 32.")
        if self.scale[0] > self.scale[1]:
            raise InputError(f"stages.{self.task}.scale is {self.scale}, expected it ascending.")
        if self.task in self.distill:
            raise InputError(f"stages.{self.task} distils itself: name only earlier tasks.")


@dataclass(frozen=True)
class RunConfig:
    """A whole run: the network and its stages in order."""

    preset: str
    model: ModelConfig
    stages: tuple[StageConfig, ...]
    method: str = "distill"  # a file of mtl_core/retention, or package.module:Class
    strength: float = bounded(1.0, least=0)  # factor on all that the method adds to the loss
    seed: int = bounded(0, least=0)
    weight_decay: float = bounded(0.02, least=0)  # AdamW, on convolution and linear weights only
    warmup: float = bounded(0.1, least=0, most=1)  # share of a stage's steps in which rates rise
    clip_norm: float = bounded(5.0, above=0)  # gradient norm above which it is scaled down
    ema_decay: float = bounded(0.995, least=0, most=1)  # per step; the averaged weights are shipped
    subset_every: int = bounded(2, least=0)  # epochs between evaluations on a subset; 0 for none
    subset_steps: int = bounded(0, least=0)  # optimizer steps between them; 0 goes by subset_every
    subset_n: int = bounded(40, least=1)  # validation images per task of them; they only record
    # least final score per task id that counts as learned; by default the task's own
    floors: dict[str, float] = field(default_factory=dict, metadata={"least": 0, "most": 1})

    def __post_init__(self) -> None:
        check_fields(self, "")
        tasks = [stage.task for stage in self.stages]
        if len(set(tasks)) != len(tasks) or not tasks:
            raise InputError(f"stages train {tasks}, expected each task at most once.")
        for number, stage in enumerate(self.stages):
            strange = [task for task in stage.distill if task not in tasks[:number]]
            if strange:
                raise InputError(
                    f"stages.{stage.task}.distill names {strange[0]!r}, expected earlier tasks: "
                    f"{', '.join(tasks[:number]) or 'there are none'}."
                )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)

    @staticmethod
    def from_dict(content: dict[str, Any]) -> RunConfig:
        """The inverse of to_dict.

        Raises:
            InputError: a field is missing, unknown or out of range.
        """
        content = renamed_keys(content)
        try:
            stages = [_from_json(StageConfig, stage) for stage in content["stages"]]
            model = model_from_dict(content["model"])
            return RunConfig(**{**content, "model": model, "stages": tuple(stages)})
        except (KeyError, TypeError) as error:
            raise InputError(f"The run's config does not fit this version: {error}.") from error


def model_from_dict(content: dict[str, Any]) -> ModelConfig:
    """ModelConfig from JSON, where tuples have become lists."""
    return _from_json(ModelConfig, content)


def _from_json(kind: Callable[..., T], content: dict[str, Any]) -> T:
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in content.items()})
