"""Named recipes: ``report`` (the source report's), ``tuned`` and ``large`` (shipped),
``large_further`` (what ``large`` goes on with), ``quick`` (a minute on rendered scenes), ``tiny``
(tests).
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mtl_core.config import ModelConfig, RunConfig, StageConfig
from mtl_core.types import InputError


def report() -> RunConfig:
    """The source report's recipe with correct code: 3 epochs a stage at 512 px, P3 + P4.

    Its distillation weights (0.7, 0.8, 0.75) and temperatures (2, 3, 4) are per stage; the first
    stage has no teacher, so its pair is unused.
    """
    common: dict[str, Any] = {
        "epochs": 3,
        "crop_px": 512,
        "scale": (0.8, 1.25),
        "lr_backbone": 1.0,
        "lr_old": 1.0,
    }
    return RunConfig(
        preset="report",
        model=ModelConfig(levels=(3, 4), head_channels=128, head_kind="dense"),
        stages=(
            StageConfig("seg", lr=1e-3, temperature=2.0, **common),
            StageConfig("det", lr=5e-4, temperature=3.0, distill={"seg": 0.8}, **common),
            StageConfig(
                "cls", lr=5e-4, temperature=4.0, distill={"seg": 0.75, "det": 0.75}, **common
            ),
        ),
        subset_every=1,
    )


def tuned() -> RunConfig:
    """The recipe of the shipped runs.

    Images are seen at 384 px: weights made from small images find large objects there that they
    miss at 512, in boxes as in masks.
    """
    return RunConfig(
        preset="tuned",
        model=ModelConfig(input_px=384),
        stages=(
            StageConfig(
                "seg",
                epochs=10,
                lr=1.5e-3,
                batch=8,
                lr_backbone=0.1,
                crop_px=320,
                scale=(0.65, 2.0),
            ),
            StageConfig(
                "det",
                epochs=30,
                lr=3e-3,
                batch=8,
                lr_backbone=0.0,
                crop_px=320,
                scale=(0.55, 1.6),
                mosaic=0.5,
                distill={"seg": 5.0},
            ),
            StageConfig(
                "cls",
                epochs=10,
                lr=1.5e-3,
                lr_backbone=0.0,
                lr_shared=0.1,
                crop_px=256,
                scale=(0.7, 1.4),
                distill={"seg": 4.0, "det": 4.0},
                distill_neck=4.0,
            ),
        ),
    )


def large() -> RunConfig:
    """The recipe of the shipped run ``onehead``: thousands of images, with COCO's and VOC's boxes.

    Measured, as trained, at 384 px. The backbone moves in the first two stages: with as many images
    as here, most of them seen by both tasks, distillation holds segmentation all the same. Boxes
    need the longest stage; its last fifth sees whole images.
    """
    config = tuned()
    seg, det, cls = config.stages
    seg = replace(seg, epochs=6, lr_backbone=0.15)
    det = replace(
        det,
        epochs=15,
        lr=2e-3,
        lr_backbone=0.1,
        late_crop_px=384,
        scale=(0.5, 1.6),
        mosaic=0.4,
        favour="0*",  # COCO's file names are numbers; VOC's begin with a year
        repeat_below=0.1,
    )
    stages = (seg, det, replace(cls, epochs=10))
    return replace(config, preset="large", stages=stages, subset_every=20)


def large_further() -> RunConfig:
    """``large``, whose second stage is trained further with more of the backbone moving.

    For ``--start RUN --further`` with a run of ``large``.
    """
    config = large()
    seg, det, cls = config.stages
    det = replace(det, epochs=12, distill={"seg": 3.0})
    model = replace(config.model, frozen_blocks=4)
    return replace(config, preset="large_further", model=model, stages=(seg, det, cls))


def quick(order: Sequence[str] = ("seg", "det", "cls")) -> RunConfig:
    """Three stages in about a minute on two cores, for rendered scenes of 128 px.

    The backbone rests in every stage, so that what is forgotten is forgotten in neck and head.

    Args:
        order: of the stages; any, since every stage can distil every other task.
    """
    epochs = {"seg": 6, "det": 10, "cls": 5}
    stages = [
        StageConfig(
            task,
            epochs=epochs[task],
            lr=4e-3,
            lr_backbone=0.0,
            lr_old=0.1,
            crop_px=128,
            scale=(0.8, 1.25),
            distill=dict.fromkeys(order[:number], 4.0),
            distill_neck=4.0 if number else 0.0,
        )
        for number, task in enumerate(order)
    ]
    return RunConfig(
        preset="quick",
        model=ModelConfig(frozen_blocks=16, neck_channels=48, head_channels=48, input_px=128),
        stages=tuple(stages),
        ema_decay=0.98,
        subset_steps=15,
        subset_n=40,
    )


def tiny() -> RunConfig:
    """Seconds, not minutes: a small input and narrow layers, for tests."""
    common: dict[str, Any] = {
        "epochs": 2,
        "crop_px": 128,
        "scale": (0.7, 1.3),
        "batch": 8,
        "lr_backbone": 1.0,
    }
    return RunConfig(
        preset="tiny",
        model=ModelConfig(input_px=128, neck_channels=32, head_channels=32),
        stages=(
            StageConfig("seg", lr=3e-3, **common),
            StageConfig("det", lr=3e-3, distill={"seg": 1.0}, distill_neck=1.0, **common),
            StageConfig(
                "cls", lr=3e-3, distill={"seg": 1.0, "det": 1.0}, distill_neck=1.0, **common
            ),
        ),
        ema_decay=0.9,
        subset_every=1,
        subset_n=4,
    )


PRESETS = {
    "report": report,
    "tuned": tuned,
    "large": large,
    "large_further": large_further,
    "quick": quick,
    "tiny": tiny,
}


def preset(name: str) -> RunConfig:
    """A fresh config by its name, or by ``package.module:function`` for one of the user's own.

    Raises:
        InputError: there is none of this name.
    """
    if name in PRESETS:
        return PRESETS[name]()
    module, colon, function = name.partition(":")
    try:
        if not colon:
            raise ImportError("there is none of this name here")
        found = getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError, TypeError) as error:
        raise InputError(
            f"Preset {name!r} is unknown ({error}): expected one of {', '.join(PRESETS)}, or "
            "package.module:function."
        ) from error
    if not isinstance(found, RunConfig):
        raise InputError(f"Preset {name!r} gives no RunConfig.")
    return found
