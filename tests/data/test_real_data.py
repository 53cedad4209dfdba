"""The real samples, where they are: set ONEHEAD_DATA to the folder that holds mini and plus."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mtl_core.data.fingerprint import check_disjoint
from mtl_core.data.image_io import read_det, read_image
from mtl_core.data.mask_io import read_seg
from mtl_core.tasks import TASKS
from mtl_core.tasks.data_roots import DataRoots, data_roots, read_split
from mtl_core.types import InputError

ROOT = Path(os.environ.get("ONEHEAD_DATA", ""))


def roots_of(sample: str) -> DataRoots:
    roots = data_roots(ROOT / sample)
    if "ONEHEAD_DATA" not in os.environ or not roots["seg"].is_dir():
        pytest.skip(f"ONEHEAD_DATA names no folder with the {sample} sample of real images")
    return roots


@pytest.mark.parametrize(
    ("sample", "task", "train", "val"),
    [
        ("mini", "seg", 240, 60),
        ("mini", "det", 240, 60),
        ("mini", "cls", 240, 60),
        ("plus", "seg", 1344, 150),
        ("plus", "det", 670, 120),
        ("plus", "cls", 1500, 400),
    ],
)
def test_counts(sample: str, task: str, train: int, val: int):
    splits = [read_split(roots_of(sample), task, name) for name in ("train", "val")]
    assert [len(split) for split in splits] == [train, val]
    assert splits[0].class_names == splits[1].class_names
    assert len(splits[0].class_names) == {"seg": 21, "det": 10, "cls": 10}[task]


@pytest.mark.parametrize(("sample", "train", "val"), [("mini", 1332, 387), ("plus", 3482, 706)])
def test_box_counts_and_names(sample: str, train: int, val: int):
    splits = [read_split(roots_of(sample), "det", name) for name in ("train", "val")]
    assert [sum(len(i.labels) for i in split.items) for split in splits] == [train, val]
    assert splits[0].class_names[:3] == ["person", "car", "bus"]
    assert splits[0].class_names[-1] == "dining table"
    assert any(item.crowd.any() for item in splits[0].items)


def test_person_is_most_of_the_boxes():
    labels = [n for i in read_split(roots_of("mini"), "det", "train").items for n in i.labels]
    assert 0.5 < labels.count(0) / len(labels) < 0.7


def test_every_pixel_of_val_can_be_read():
    roots = roots_of("mini")
    for item in read_split(roots, "seg", "val").items:
        read_seg(item, 21)
    for item in read_split(roots, "det", "val").items:
        read_det(item)
    for item in read_split(roots, "cls", "val").items:
        read_image(item.image)


@pytest.mark.parametrize("task", TASKS)
def test_val_stands_in_no_train_folder_of_either_sample(task: str):
    trains = [read_split(roots_of(sample), task, "train") for sample in ("mini", "plus")]
    for train in trains:
        for sample in ("mini", "plus"):
            check_disjoint(train, read_split(roots_of(sample), task, "val"))


@pytest.mark.parametrize("task", ["seg", "det"])
def test_resized_copies_are_found(task: str):
    # Both samples hold these images, encoded anew at another size.
    with pytest.raises(InputError, match="the same image"):
        check_disjoint(*(read_split(roots_of(s), task, "val") for s in ("mini", "plus")))


@pytest.mark.parametrize("task", TASKS)
def test_a_split_opens_without_decoding_it(task: str):
    roots = roots_of("plus")
    start = time.perf_counter()
    read_split(roots, task, "train")
    assert time.perf_counter() - start < 2  # 0.04 s when idle; decoding takes longer than 2 s


@pytest.mark.parametrize("task", TASKS)
def test_the_tune_part_is_about_its_share(task: str):
    whole, tune = (read_split(roots_of("plus"), task, name) for name in ("train", "train:tune"))
    assert 0.10 < len(tune) / len(whole) < 0.20
