"""A fingerprint changes with every byte that matters, and with nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from PIL import Image

from mtl_core.data.fingerprint import fingerprint
from mtl_core.data.splits import Split
from mtl_core.tasks import TASKS
from mtl_core.tasks.data_roots import DataRoots, read_split


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
