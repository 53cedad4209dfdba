"""Samples of COCO 2017, PASCAL VOC 2012 and Imagenette, from the unpacked official downloads.

Images and masks are copied byte for byte, boxes and ids are kept as they are.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mtl_core.data.coco_annotations import clip_xywh
from mtl_core.data.coco_records import load_coco
from mtl_core.data.mask_folders import VOC_CLASS_NAMES
from mtl_core.data.mask_io import read_seg
from mtl_core.data.splits import SegItem
from mtl_core.types import InputError

DETECTION_CLASSES = [
    "person",
    "car",
    "bus",
    "bird",
    "cat",
    "dog",
    "bottle",
    "cup",
    "chair",
    "dining table",
]

OnImage = Callable[[], None]


def sample_coco(
    source: Path,
    out: Path,
    counts: dict[str, int],
    seed: int,
    on_image: OnImage,
    class_names: Iterable[str] = DETECTION_CLASSES,
) -> None:
    """Copies ``counts`` images per split, with their boxes of ``class_names``, into ``out``.

    The classes take turns in drawing an image that shows them, so that none is missing.

    Raises:
        InputError: a file or class is missing, or a split has too few images.
    """
    for split, count in counts.items():
        annotations = source / "annotations" / f"instances_{split}2017.json"
        content = load_coco(annotations)
        categories = _named_categories(content["categories"], list(class_names), annotations)
        ids = {category["id"] for category in categories}
        boxes_of: dict[int, list[dict[str, Any]]] = {}
        for box in content["annotations"]:
            if box["category_id"] in ids:
                boxes_of.setdefault(box["image_id"], []).append(box)
        # A few of COCO's boxes have no area. Their images are not drawn, for a box that is left
        # out would make its object count as background.
        images = {
            image["id"]: image
            for image in content["images"]
            if image["id"] in boxes_of
            and all(_has_area(box, image) for box in boxes_of[image["id"]])
        }
        _require_enough(len(images), count, annotations, "images of the chosen classes")
        chosen = _draw_in_turn(images, boxes_of, sorted(ids), count, _rng(seed, "coco", split))

        folder = out / split
        folder.mkdir(parents=True)
        for image_id in chosen:
            name = images[image_id]["file_name"]
            _copy(source / f"{split}2017" / name, folder / name)
            on_image()
        kept = {
            "info": content.get("info", {}),
            "licenses": content.get("licenses", []),
            "images": [images[i] for i in chosen],
            "annotations": [
                {key: value for key, value in box.items() if key != "segmentation"}
                for i in chosen
                for box in boxes_of[i]
            ],
            "categories": categories,
        }
        target = out / "annotations" / f"instances_{split}.json"
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(kept), encoding="utf-8")


def sample_voc(
    source: Path, out: Path, counts: dict[str, int], seed: int, on_image: OnImage
) -> None:
    """Copies ``counts`` images per split and their masks into ``out``.

    Train images come from the list ``train`` and, where ``SegmentationClassAug`` is there (the
    extended masks of Hariharan et al., ICCV 2011), from all others that are not in ``val``.

    Raises:
        InputError: a file is missing, a split has too few images, or a mask is not VOC's.
    """
    source = _voc_root(source)
    names = {split: _listed(source, split) for split in ("train", "val")}
    extended = source / "SegmentationClassAug"
    if extended.is_dir():
        names["train"] |= {path.stem for path in extended.glob("*.png")} - names["val"]
    for split, count in counts.items():
        available = sorted(names[split])
        _require_enough(len(available), count, source, f"images with masks for {split}")
        folder = out / split
        folder.mkdir(parents=True)
        for name in sorted(_rng(seed, "voc", split).sample(available, count)):
            # The original mask is the finer one where there are both.
            mask = source / "SegmentationClass" / f"{name}.png"
            if not mask.exists() and extended.is_dir():
                mask = extended / f"{name}.png"
            image = source / "JPEGImages" / f"{name}.jpg"
            read_seg(SegItem(image, mask), len(VOC_CLASS_NAMES))
            _copy(image, folder / image.name)
            _copy(mask, folder / mask.name)
            on_image()


def sample_imagenette(
    source: Path, out: Path, counts: dict[str, int], seed: int, on_image: OnImage
) -> None:
    """Copies ``counts`` images per split into ``out``, evenly from every class folder.

    Raises:
        InputError: a folder is missing, or a class has too few images.
    """
    for split, count in counts.items():
        if not (source / split).is_dir():
            raise InputError(f"{source / split} is missing, expected Imagenette's {split} folder.")
        folders = sorted(path for path in (source / split).iterdir() if path.is_dir())
        _require_enough(count, len(folders), source / split, f"images asked for with --{split}")
        for index, folder in enumerate(folders):
            share = count // len(folders) + (index < count % len(folders))
            available = sorted(path for path in folder.iterdir() if path.suffix == ".JPEG")
            _require_enough(len(available), share, folder, "images")
            (out / split / folder.name).mkdir(parents=True)
            rng = _rng(seed, "imagenette", split, folder.name)
            for path in sorted(rng.sample(available, share)):
                _copy(path, out / split / folder.name / path.name)
                on_image()


def _named_categories(
    categories: list[dict[str, Any]], names: list[str], annotations: Path
) -> list[dict[str, Any]]:
    by_name = {category["name"]: category for category in categories}
    for name in names:
        if name not in by_name:
            raise InputError(f'{annotations} has no category "{name}", expected COCO\'s 80.')
    return sorted((by_name[name] for name in names), key=lambda category: category["id"])


def _has_area(box: dict[str, Any], image: dict[str, Any]) -> bool:
    left, top, right, bottom = clip_xywh(box["bbox"], image["width"], image["height"])
    return right > left and bottom > top


def _draw_in_turn(
    images: dict[int, dict[str, Any]],
    boxes_of: dict[int, list[dict[str, Any]]],
    category_ids: list[int],
    count: int,
    rng: random.Random,
) -> list[int]:
    """``count`` image ids, ascending; each category in turn draws one that shows it."""
    waiting: dict[int, list[int]] = {category_id: [] for category_id in category_ids}
    for image_id in sorted(images):
        for category_id in {b["category_id"] for b in boxes_of[image_id] if not b.get("iscrowd")}:
            waiting[category_id].append(image_id)
    for queue in waiting.values():
        rng.shuffle(queue)
    # Images that show nothing but crowds come last, when all others are used up.
    shown = set().union(*waiting.values())
    last = [image_id for image_id in sorted(images) if image_id not in shown]
    chosen: set[int] = set()
    while len(chosen) < count and any(waiting.values()):
        for queue in waiting.values():
            while queue and queue[-1] in chosen:
                queue.pop()
            if queue and len(chosen) < count:
                chosen.add(queue.pop())
    return sorted([*chosen, *last[: count - len(chosen)]])


def _voc_root(source: Path) -> Path:
    for root in (source, source / "VOC2012", source / "VOCdevkit" / "VOC2012"):
        if (root / "JPEGImages").is_dir():
            return root
    raise InputError(f"{source / 'JPEGImages'} is missing, expected the unpacked VOC2012 folder.")


def _listed(source: Path, split: str) -> set[str]:
    path = source / "ImageSets" / "Segmentation" / f"{split}.txt"
    if not path.is_file():
        raise InputError(f"{path} is missing, expected VOC's list of {split} images.")
    return set(path.read_text(encoding="utf-8").split())


def _require_enough(available: int, needed: int, where: Path, what: str) -> None:
    if available < needed:
        raise InputError(f"{where} has {available} {what}, expected at least {needed}.")


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        raise InputError(f"{source} is missing, expected a file of the official download.")
    shutil.copyfile(source, target)


def _rng(seed: int, *what: str) -> random.Random:
    """A stream of its own for each folder, so that one count does not change another's sample."""
    return random.Random(f"{seed}/{'/'.join(what)}")
