"""Rendered sets of the three tasks, for tests and for anyone without images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mtl_core.data.synthetic.dataset import (
    Job,
    render_boxes,
    render_classes,
    render_masks,
    write_json,
)
from mtl_core.data.synthetic.shapes import KIND_NAMES
from mtl_core.tasks import CLS, DET, SEG
from mtl_core.tasks.data_roots import DataRoots, data_roots
from mtl_core.types import InputError

MIN_SIZE_PX = 48
# Every image is drawn from a random stream of its own, named by its task's id among others.
RENDERERS = {SEG.id: render_masks, DET.id: render_boxes, CLS.id: render_classes}


def render_dataset(
    out: Path,
    counts: dict[str, int],
    size_px: int = 256,
    seed: int = 0,
    on_image: Callable[[], None] | None = None,
) -> DataRoots:
    """Renders all three sets below ``out``.

    Args:
        out: folder to write into; made if it is missing.
        counts: images per split and task, such as ``{"train": 240, "val": 60}``.
        size_px: length of every image's longer side, in pixels.
        seed: another seed gives other images.
        on_image: called after each image that is written, for progress bars.

    Returns:
        Where the three sets lie.

    Raises:
        InputError: a count or the size is too small.

    >>> render_dataset(Path("scenes"), {"train": 240, "val": 60})  # doctest: +SKIP
    """
    if size_px < MIN_SIZE_PX:
        raise InputError(f"size_px is {size_px}, expected at least {MIN_SIZE_PX}.")
    for split, count in counts.items():
        if count < len(KIND_NAMES):
            raise InputError(
                f'The count for split "{split}" is {count}, expected at least '
                f"{len(KIND_NAMES)}, one image for each kind."
            )
    roots = data_roots(out)
    rendered = on_image or (lambda: None)
    for split, count in counts.items():
        for task, render in RENDERERS.items():
            render(Job(roots[task], split, count, size_px, seed, task, rendered))
    names = ["background", *KIND_NAMES]
    (roots[SEG.id] / "classes.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    write_json(roots[CLS.id] / "classes.json", {kind: kind for kind in KIND_NAMES})
    return {task: roots[task] for task in RENDERERS}
