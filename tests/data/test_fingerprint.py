"""A fingerprint changes with every byte that matters; shared images are found by their look."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtl_core.data.layout import Split, check_disjoint, fingerprint
from mtl_core.tasks import TASKS
from mtl_core.tasks.data_roots import DataRoots, data_roots, read_split
from mtl_core.types import InputError


@pytest.mark.parametrize("task", TASKS)
def test_fingerprint_does_not_depend_on_the_place(
    scenes: DataRoots, own_scenes: DataRoots, task: str
):
    here, there = (fingerprint(read_split(r, task, "val")) for r in (scenes, own_scenes))
    assert here == there
    assert (here["split"], here["n"], len(here["sha256"])) == ("val", 6, 64)
    assert here["sha256"] != fingerprint(read_split(scenes, task, "train"))["sha256"]


def change_mask(split: Split) -> None:
    mask = Image.open(split.items[0].mask)
    mask.putpixel((0, 0), 1 - mask.getpixel((0, 0)) % 2)
    mask.save(split.items[0].mask)


def change_box(split: Split) -> None:
    content = json.loads(split.annotations.read_text())
    content["annotations"][0]["bbox"][2] += 0.5
    split.annotations.write_text(json.dumps(content))


def move_to_another_class(split: Split) -> None:
    first, last = split.items[0].image, split.items[-1].image
    last.rename(first.with_name(last.name))


def change_byte(split: Split) -> None:
    path = split.items[0].image
    path.write_bytes(path.read_bytes() + b"\0")


def change_name(split: Split) -> None:
    (split.items[0].image.parents[2] / "classes.json").write_text(
        json.dumps({name: name.upper() for name in split.class_names})
    )


@pytest.mark.parametrize(
    ("task", "change"),
    [
        ("seg", change_byte),
        ("seg", change_mask),
        ("det", change_byte),
        ("det", change_box),
        ("cls", change_byte),
        ("cls", move_to_another_class),
        ("cls", change_name),
    ],
)
def test_fingerprint_changes_with_images_and_labels(
    own_scenes: DataRoots, task: str, change: Callable[[Split], None]
):
    before = read_split(own_scenes, task, "val")
    digest = fingerprint(before)["sha256"]
    change(before)
    assert fingerprint(read_split(own_scenes, task, "val"))["sha256"] != digest


@pytest.mark.parametrize("task", TASKS)
def test_rendered_splits_share_nothing(scenes: DataRoots, task: str):
    check_disjoint(read_split(scenes, task, "train"), read_split(scenes, task, "val"))


def copied(source: Path, target: Path) -> None:
    shutil.copy(source, target)


def as_png(source: Path, target: Path) -> None:
    Image.open(source).save(target, "PNG")


def at_low_quality(source: Path, target: Path) -> None:
    Image.open(source).save(target, "JPEG", quality=60)


def smaller_and_squashed(source: Path, target: Path) -> None:
    Image.open(source).resize((112, 100)).save(target, "JPEG", quality=90)


def in_grey(source: Path, target: Path) -> None:
    Image.open(source).convert("L").save(target, "JPEG", quality=95)


@pytest.mark.parametrize("at_once", [2, 4096])
@pytest.mark.parametrize("leak", [copied, as_png, at_low_quality, smaller_and_squashed, in_grey])
def test_a_image_in_both_splits_is_found_under_another_name(
    tmp_path: Path,
    leak: Callable[[Path, Path], None],
    at_once: int,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("mtl_core.data.fingerprint._AT_ONCE", at_once)
    roots = data_roots(tmp_path)
    for split in ("train", "val"):
        (roots["cls"] / split / "thing").mkdir(parents=True)
    rng = np.random.default_rng(1)
    for number in range(6):
        blocks = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        split = "train" if number < 3 else "val"
        image = blocks.resize((160, 120), Image.Resampling.BICUBIC)
        image.save(roots["cls"] / split / "thing" / f"{number}.jpg")
    train, val = (read_split(roots, "cls", split) for split in ("train", "val"))
    check_disjoint(train, val)
    leak(train.items[1].image, roots["cls"] / "val" / "thing" / "other.jpg")
    with pytest.raises(InputError) as caught:
        check_disjoint(train, read_split(roots, "cls", "val"))
    sentence = str(caught.value)
    assert "train/thing/1.jpg" in sentence and "val/thing/other.jpg" in sentence
    assert "are the same image, expected splits that share none." in sentence


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ((10, 10, 10), (10, 10, 10), True),
        ((10, 10, 10), (40, 40, 40), False),  # flat, so that no correlation tells them apart
        ((0, 0, 0), (255, 255, 255), False),
    ],
)
def test_images_of_one_colour_are_compared_by_it(
    tmp_path: Path, first: tuple, second: tuple, same: bool
):
    roots = data_roots(tmp_path)
    for split, colour in (("train", first), ("val", second)):
        (roots["cls"] / split / "thing").mkdir(parents=True)
        Image.new("RGB", (32, 32), colour).save(roots["cls"] / split / "thing" / "p.png")
    splits = [read_split(roots, "cls", split) for split in ("train", "val")]
    if same:
        with pytest.raises(InputError, match="the same image"):
            check_disjoint(*splits)
    else:
        check_disjoint(*splits)


def test_a_truncated_image_is_named_before_training_begins(own_scenes: DataRoots):
    splits = [read_split(own_scenes, "det", split) for split in ("train", "val")]
    path = splits[0].items[3].image
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError, match=r"train_000003\.jpg cannot be read"):
        check_disjoint(*splits)
