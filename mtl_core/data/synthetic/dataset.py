"""A rendered dataset in the project's layout, for tests and for anyone without images.

The kinds of ``shapes.KINDS`` are the classes of all sets: segmented, boxed, and
named where one of them dominates the image. Every image is drawn from its own random stream
(seed, task, split, number), so a larger set contains the smaller one, and no two splits share any.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mtl_core.data.synthetic.scene import Scene
from mtl_core.data.synthetic.shapes import KIND_NAMES

# Ids with gaps, and not in the names' alphabetical order: as in COCO, an id is no index.
CATEGORY_IDS = [2, 5, 9, 14, 20]

_JPEG_QUALITY = 92
_CROWD_SHARE = 0.08


def voc_palette() -> list[int]:
    """The colours of PASCAL VOC's masks: 256 x (red, green, blue), flat, each 0 to 255.

    Bits of the class id are dealt out to the three channels, highest bits first, as in
    the VOC development kit's ``VOClabelcolormap``.
    """
    colours = []
    for class_id in range(256):
        channels = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                channels[channel] |= ((class_id >> (3 * bit + channel)) & 1) << (7 - bit)
        colours += channels
    return colours


@dataclass(frozen=True)
class Job:
    """One task's split that is to be rendered.

    Attributes:
        root: of the task's set.
        split: its name.
        count: images of it.
        size_px: length of every image's longer side.
        seed: another seed gives other images.
        stream: a name that sets the task's random streams apart.
        on_image: called after each image that is written.
    """

    root: Path
    split: str
    count: int
    size_px: int
    seed: int
    stream: str
    on_image: Callable[[], None]

    def images(self) -> Iterator[tuple[int, str, np.random.Generator]]:
        """Of each image its number, its file's stem and its random stream."""
        purpose = zlib.crc32(f"{self.stream}/{self.split}".encode())
        for number in range(self.count):
            rng = np.random.default_rng([self.seed, purpose, number])
            yield number, f"{self.split}_{number:06d}", rng
            self.on_image()


def render_masks(job: Job) -> None:
    """One split of scenes with a mask each."""
    folder = _made(job.root / job.split)
    for number, stem, rng in job.images():
        scene = _crowded_scene(rng, number, job.size_px, 0.09, 0.34, 4)
        _save_jpeg(scene.image(), folder / f"{stem}.jpg")
        mask = Image.fromarray(scene.mask())
        mask.putpalette(voc_palette())
        mask.save(folder / f"{stem}.png")


def render_boxes(job: Job) -> None:
    """One split of scenes with a COCO annotation file."""
    folder = _made(job.root / job.split)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, stem, rng in job.images():
        scene = _crowded_scene(rng, number, job.size_px, 0.05, 0.28, 6)
        if rng.random() < _CROWD_SHARE:
            kind = int(rng.integers(len(KIND_NAMES)))
            scene.place_crowd(kind, 0.035 * job.size_px, int(rng.integers(6, 11)))
        name = f"{stem}.jpg"
        _save_jpeg(scene.image(), folder / name)
        height, width = scene.owner.shape
        images.append({"id": number + 1, "file_name": name, "width": width, "height": height})
        for instance in scene.instances():
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number + 1,
                    "category_id": CATEGORY_IDS[instance.kind],
                    "bbox": list(instance.box_xywh()),
                    "area": int(instance.visible.sum()),
                    "iscrowd": int(instance.crowd),
                }
            )
    categories = [{"id": i, "name": name} for i, name in zip(CATEGORY_IDS, KIND_NAMES, strict=True)]
    content = {
        "info": {"description": f"Rendered scenes, seed {job.seed}."},
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }
    write_json(_made(job.root / "annotations") / f"instances_{job.split}.json", content)


def render_classes(job: Job) -> None:
    """One split of scenes in folders by their dominating kind."""
    for number, stem, rng in job.images():
        kind = number % len(KIND_NAMES)
        scene = _empty_scene(rng, job.size_px)
        # The small companions come first: they may be covered by the one that the label names.
        for _ in range(rng.integers(0, 3)):
            scene.place(int(rng.integers(len(KIND_NAMES))), rng.uniform(0.05, 0.08) * job.size_px)
        largest_px = 0.42 * min(scene.owner.shape)
        while not scene.place(kind, rng.uniform(0.7, 1) * largest_px):
            scene = _empty_scene(rng, job.size_px)
        folder = _made(job.root / job.split / KIND_NAMES[kind])
        _save_jpeg(scene.image(), folder / f"{stem}.JPEG")


def _crowded_scene(
    rng: np.random.Generator,
    number: int,
    size_px: int,
    smallest: float,
    largest: float,
    most: int,
) -> Scene:
    """One to ``most`` objects with radii between the two shares of ``size_px``.

    The first object's kind goes round with ``number``, so that no kind is ever absent.
    """
    scene = _empty_scene(rng, size_px)
    kinds = [number % len(KIND_NAMES), *rng.integers(len(KIND_NAMES), size=rng.integers(0, most))]
    for kind in kinds:
        # Evenly in the logarithm: as many small objects as large ones.
        share = np.exp(rng.uniform(np.log(smallest), np.log(largest)))
        while not scene.place(int(kind), share * size_px) and not scene.kinds:
            share *= 0.8
    return scene


def _empty_scene(rng: np.random.Generator, size_px: int) -> Scene:
    shorter_px = round(size_px * rng.uniform(0.7, 1))
    height, width = (size_px, shorter_px) if rng.random() < 0.3 else (shorter_px, size_px)
    return Scene.with_background(height, width, rng)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _save_jpeg(image: np.ndarray, path: Path) -> None:
    # Chroma is kept whole: colour edges of small objects are part of what is to be learned.
    Image.fromarray(image).save(path, "JPEG", quality=_JPEG_QUALITY, subsampling=0)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """JSON with a line per value."""
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
