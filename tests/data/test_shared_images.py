"""Equal images in two splits are refused, near ones are told of."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mtl_core.data.fingerprint import check_disjoint
from mtl_core.data.shared_images import appearance, shared
from mtl_core.tasks import TASKS
from mtl_core.tasks.data_roots import DataRoots, data_roots, read_split
from mtl_core.types import InputError


@pytest.mark.parametrize("task", TASKS)
def test_rendered_splits_share_nothing(scenes: DataRoots, task: str):
    assert check_disjoint(*(read_split(scenes, task, name) for name in ("train", "val"))) == []


@pytest.fixture
def folders(tmp_path: Path) -> DataRoots:
    """Three different images of one class in either split."""
    roots = data_roots(tmp_path)
    rng = np.random.default_rng(1)
    for number in range(6):
        blocks = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        folder = roots["cls"] / ("train" if number < 3 else "val") / "thing"
        folder.mkdir(parents=True, exist_ok=True)
        blocks.resize((160, 120), Image.Resampling.BICUBIC).save(folder / f"{number}.jpg")
    return roots


def copied(source: Path, target: Path) -> None:
    shutil.copy(source, target)


def as_png(source: Path, target: Path) -> None:
    Image.open(source).save(target, "PNG")


@pytest.mark.parametrize("leak", [copied, as_png])
def test_an_image_in_both_splits_is_refused_under_another_name(
    folders: DataRoots, leak: Callable[[Path, Path], None]
):
    train = read_split(folders, "cls", "train")
    leak(train.items[1].image, folders["cls"] / "val" / "thing" / "other.jpg")
    with pytest.raises(InputError) as caught:
        check_disjoint(train, read_split(folders, "cls", "val"))
    sentence = str(caught.value)
    assert "train/thing/1.jpg" in sentence and "val/thing/other.jpg" in sentence
    assert "are the same image, expected splits that share none." in sentence


def at_low_quality(source: Path, target: Path) -> None:
    Image.open(source).save(target, "JPEG", quality=60)


def smaller_and_squashed(source: Path, target: Path) -> None:
    Image.open(source).resize((112, 100)).save(target, "JPEG", quality=90)


def in_grey(source: Path, target: Path) -> None:
    Image.open(source).convert("L").save(target, "JPEG", quality=95)


def with_a_small_object(source: Path, target: Path) -> None:
    image = Image.open(source)
    ImageDraw.Draw(image).rectangle([70, 50, 76, 54], "black")
    image.save(target, "JPEG", quality=95)


@pytest.mark.parametrize(
    "change", [at_low_quality, smaller_and_squashed, in_grey, with_a_small_object]
)
def test_a_near_identical_image_is_told_of_and_not_refused(
    folders: DataRoots, change: Callable[[Path, Path], None]
):
    train = read_split(folders, "cls", "train")
    change(train.items[1].image, folders["cls"] / "val" / "thing" / "other.jpg")
    (sentence,) = check_disjoint(train, read_split(folders, "cls", "val"))
    assert "1 of the 4 images" in sentence
    assert "train/thing/1.jpg" in sentence and "val/thing/other.jpg" in sentence


@pytest.mark.parametrize(
    ("first", "second", "equal", "near"),
    [(10, 10, 1, 0), (10, 12, 0, 1), (10, 40, 0, 0), (0, 255, 0, 0)],
)
def test_images_of_one_colour_are_compared_by_it(first: int, second: int, equal: int, near: int):
    images = [appearance(np.full((32, 32, 3), grey, np.uint8)) for grey in (first, second)]
    assert [len(pairs) for pairs in shared(images[:1], images[1:])] == [equal, near]


def test_a_truncated_image_is_named_before_training_begins(own_scenes: DataRoots):
    splits = [read_split(own_scenes, "det", split) for split in ("train", "val")]
    path = splits[0].items[3].image
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError, match=r"train_000003\.jpg cannot be read"):
        check_disjoint(*splits)
