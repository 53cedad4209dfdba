"""Every fault of a data folder ends in one sentence that names the file and what was expected."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mtl_core.tasks.data_roots import DataRoots, read_split
from mtl_core.types import InputError


def annotations(roots: DataRoots) -> Path:
    return roots["det"] / "annotations" / "instances_val.json"


def edit(change: Callable[[dict], object]) -> Callable[[DataRoots], None]:
    """Breaks the annotation file by changing its content."""

    def apply(roots: DataRoots) -> None:
        content = json.loads(annotations(roots).read_text())
        change(content)
        annotations(roots).write_text(json.dumps(content))

    return apply


def write(task: str, name: str, text: str) -> Callable[[DataRoots], object]:
    """Puts a file with this text into a task's set."""
    return lambda roots: (roots[task] / name).write_text(text)


def remove(task: str, name: str) -> Callable[[DataRoots], object]:
    return lambda roots: (roots[task] / name).unlink()


def remove_folder(task: str, name: str = "") -> Callable[[DataRoots], object]:
    return lambda roots: shutil.rmtree(roots[task] / name)


def empty_folder(task: str, name: str) -> Callable[[DataRoots], None]:
    def apply(roots: DataRoots) -> None:
        remove_folder(task, name)(roots)
        (roots[task] / name).mkdir()

    return apply


def copy_within(task: str, source: str, target: str) -> Callable[[DataRoots], object]:
    return lambda r: shutil.copy(r[task] / source, r[task] / target)


def first_in(folder: Path) -> Path:
    return min(folder.iterdir())


def box(**changes: object) -> Callable[[DataRoots], None]:
    return edit(lambda content: content["annotations"][0].update(changes))


def image(**changes: object) -> Callable[[DataRoots], None]:
    return edit(lambda content: content["images"][0].update(changes))


# task, what is broken, words that the sentence must hold
CASES = [
    # folders
    ("seg", remove_folder("seg"), ["mini_voc_seg is missing", "expected a folder"]),
    ("seg", remove_folder("seg", "val"), ['expected the images of split "val" beside train']),
    ("det", remove_folder("det", "val"), ["mini_coco_det/val is missing", "beside train"]),
    ("cls", remove_folder("cls", "val"), ["imagenette_160/val is missing", "beside train"]),
    ("seg", empty_folder("seg", "val"), ["val is empty", "expected images"]),
    ("det", empty_folder("det", "val"), ["mini_coco_det/val is empty", "expected images"]),
    ("cls", empty_folder("cls", "val"), ["val is empty", "one folder per class"]),
    ("cls", empty_folder("cls", "val/ring"), ["val/ring is empty", "expected images"]),
    # files that do not belong
    (
        "seg",
        write("seg", "val/notes.txt", "x"),
        ["notes.txt is no image", "expected only .jpg, .jpeg"],
    ),
    ("det", write("det", "val/a.mp4", "x"), ["a.mp4 is no image", "only .jpg, .jpeg"]),
    ("cls", write("cls", "val/a.jpg", "x"), ["a.jpg stands outside", "expected only folders"]),
    (
        "cls",
        lambda r: (r["cls"] / "val" / "ring" / "notes.txt").touch(),
        ["ring/notes.txt is no image", "expected only"],
    ),
    # segmentation
    (
        "seg",
        remove("seg", "val/val_000001.png"),
        ["val_000001.png is missing", "expected the mask of", "val_000001.jpg"],
    ),
    (
        "seg",
        remove("seg", "val/val_000001.jpg"),
        ["val_000001.png is a mask without an image", "expected val_000001.jpg"],
    ),
    (
        "seg",
        copy_within("seg", "val/val_000001.jpg", "val/val_000001.jpeg"),
        ["val_000001.jpg and val_000001.jpeg have one name", "expected different ones"],
    ),
    (
        "det",
        copy_within("det", "val/val_000002.jpg", "val/val_000002.png"),
        ["val_000002.png and val_000002.jpg have one name", "expected different ones"],
    ),
    (
        "cls",
        lambda r: shutil.copy(p := first_in(r["cls"] / "val/ring"), p.with_suffix(".png")),
        ["have one name", "expected different ones"],
    ),
    ("seg", write("seg", "classes.txt", "background\n"), ["classes.txt holds 1", "expected 2"]),
    ("seg", write("seg", "classes.txt", "a\nb\nb\n"), ["classes.txt holds 3", "of which 2"]),
    (
        "seg",
        lambda r: (r["seg"] / "classes.txt").write_bytes(b"\xff\xfe\x00"),
        ["classes.txt cannot be read", "expected text in UTF-8"],
    ),
    # classification
    (
        "cls",
        write("cls", "classes.json", "[1]"),
        ["classes.json is no table", "expected an object"],
    ),
    ("cls", write("cls", "classes.json", "{"), ["classes.json is not valid JSON", "expected"]),
    (
        "cls",
        write("cls", "classes.json", '{"ring": "ring"}'),
        ['classes.json does not name the class folder "cross"', "expected"],
    ),
    (
        "cls",
        write(
            "cls",
            "classes.json",
            json.dumps(dict.fromkeys(["ring", "disc", "star", "cross", "triangle"], "thing")),
        ),
        ["classes.json gives two class folders one name", "expected different"],
    ),
    # detection: the file
    (
        "det",
        remove("det", "annotations/instances_val.json"),
        ["instances_val.json is missing", "expected a COCO annotation file"],
    ),
    (
        "det",
        write("det", "annotations/instances_val.json", '{"images": ['),
        ["instances_val.json is not valid JSON", "expected a COCO annotation file"],
    ),
    (
        "det",
        write("det", "annotations/instances_val.json", "[]"),
        ['instances_val.json has no list "images"', "expected a COCO annotation file"],
    ),
    (
        "det",
        edit(lambda c: c.pop("categories")),
        ['instances_val.json has no list "categories"', "expected a COCO"],
    ),
    ("det", edit(lambda c: c["categories"].clear()), ["lists no categories", "at least one"]),
    (
        "det",
        edit(lambda c: c["categories"][1].update(name="triangle")),
        ['instances_val.json lists the category name "triangle" twice', "expected once"],
    ),
    (
        "det",
        edit(lambda c: c["categories"][1].update(id=2)),
        ['lists the category id "2" twice', "expected once"],
    ),
    (
        "det",
        edit(lambda c: c["categories"][1].pop("name")),
        ['category 5 has no usable "name"', "expected a text"],
    ),
    # detection: its images
    (
        "det",
        remove("det", "val/val_000002.jpg"),
        ["val_000002.jpg is missing", "expected because", "instances_val.json lists it"],
    ),
    (
        "det",
        copy_within("det", "val/val_000002.jpg", "val/zebra.jpg"),
        ["zebra.jpg is not listed in", "instances_val.json", "expected an entry for every"],
    ),
    ("det", image(id=2), ['lists the image id "2" twice', "expected once"]),
    ("det", image(file_name="val_000001.jpg"), ['the image "val_000001.jpg" twice', "once"]),
    ("det", image(file_name="../a.jpg"), ["../a.jpg is missing", "expected because"]),
    ("det", image(width=0), ["val_000000.jpg the size 0 x", "expected at least one pixel"]),
    ("det", image(height="tall"), ['image 1 has no usable "height"', "expected a whole number"]),
    # detection: its boxes
    (
        "det",
        box(category_id=77),
        ["annotation 1 has the unknown category id 77", "expected one of [2, 5, 9, 14, 20]"],
    ),
    ("det", box(image_id=999), ["annotation 1 belongs to image id 999", "expected the id"]),
    ("det", box(bbox=[1, 2, 3]), ["box [1, 2, 3]", "expected four numbers"]),
    ("det", box(bbox=[1, 2, 3, "x"]), ["annotation 1 has the box", "expected four numbers"]),
    ("det", box(bbox=[1, 2, 3, float("nan")]), ["nan", "expected four numbers"]),
    (
        "det",
        box(bbox=[1, 2, 0, 4]),
        ["box [1, 2, 0, 4] with no area", "val_000000.jpg", "expected"],
    ),
    ("det", box(bbox=[1, 2, 4, -4]), ["with no area", "expected a positive width and height"]),
    (
        "det",
        box(bbox=[900, 2, 9, 9]),
        ["with no area inside val_000000.jpg", "expected a positive"],
    ),
    ("det", box(bbox=None), ['annotation 1 has no usable "bbox"', "expected a list"]),
    ("det", edit(lambda c: c["annotations"].append(5)), ['has no usable "image_id"', "expected"]),
]


@pytest.mark.parametrize(("task", "damage", "words"), CASES)
def test_damage_is_told_in_one_sentence(
    own_scenes: DataRoots,
    task: str,
    damage: Callable[[DataRoots], object],
    words: list[str],
):
    read_split(own_scenes, task, "val")
    damage(own_scenes)
    with pytest.raises(InputError) as caught:
        read_split(own_scenes, task, "val")
    assert_one_sentence(caught.value, words)


@pytest.mark.parametrize("name", ["val:other", "train:", "../val", "a/b", ""])
def test_split_names_are_folder_names(scenes: DataRoots, name: str):
    with pytest.raises(InputError, match="expected"):
        read_split(scenes, "seg", name)


def test_unknown_tasks_are_refused(scenes: DataRoots):
    with pytest.raises(InputError, match=r"Task 'depth' is unknown: expected one of seg, det, cls"):
        read_split(scenes, "depth", "val")


def assert_one_sentence(error: InputError, words: list[str]) -> None:
    sentence = str(error)
    for word in words:
        assert word in sentence
    assert sentence.endswith(".") and "\n" not in sentence and ". " not in sentence
