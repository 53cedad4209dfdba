"""All that is wrong with a data folder is told at once, and what is surely not meant as well."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mtl_core.data.checks import Report
from mtl_core.tasks.data_roots import DataRoots, data_roots
from mtl_core.tasks.rendered_sets import render_dataset
from mtl_core.types import InputError
from training.check_data import Options, check, main


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> DataRoots:
    counts = {"train": 12, "val": 6}
    return render_dataset(tmp_path_factory.mktemp("checked"), counts, 64, seed=3)


@pytest.fixture
def own(scenes: DataRoots, tmp_path: Path) -> DataRoots:
    shutil.copytree(scenes["seg"].parent, tmp_path / "own")
    return data_roots(tmp_path / "own")


def checked(roots: DataRoots, **options: object) -> Report:
    return check(Options(roots["seg"].parent, **options))


def edited(roots: DataRoots, split: str, change: Callable[[dict], object]) -> None:
    path = roots["det"] / "annotations" / f"instances_{split}.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_clean_folder_has_neither_faults_nor_warnings(scenes: DataRoots):
    report = checked(scenes)
    assert (report.faults, report.warnings) == ([], [])
    assert report.images == {task: {"train": 12, "val": 6} for task in scenes}
    boxes = json.loads((scenes["det"] / "annotations/instances_train.json").read_text())
    solid = [box for box in boxes["annotations"] if not box["iscrowd"]]
    assert sum(report.counts["det"]["train"].values()) == len(solid)
    assert sum(report.counts["cls"]["val"].values()) == 6
    assert report.counts["seg"]["train"]["background"] == 12


def test_faults_of_every_split_and_task_are_told_together(
    own: DataRoots, capsys: pytest.CaptureFixture[str]
):
    for number, value in ((1, 42), (5, 43)):
        mask = own["seg"] / "val" / f"val_{number:06d}.png"
        ids = np.array(Image.open(mask))
        ids[0, 0] = value
        Image.fromarray(ids).save(mask)
    image = own["det"] / "train" / "train_000003.jpg"
    image.write_bytes(image.read_bytes()[:900])
    edited(own, "val", lambda c: c["annotations"][0].update(bbox=[1, 2, 3]))
    moon = own["cls"] / "val" / "moon"
    moon.mkdir()
    Image.effect_noise((64, 64), 90).save(moon / "first.png")
    (own["cls"] / "classes.json").unlink()
    assert main(Options(own["seg"].parent)) == 1
    report = checked(own)
    assert len(report.faults) == 5
    wanted = (
        "val_000001.png holds the class id 42",
        "val_000005.png holds the class id 43",
        "train_000003.jpg cannot be read",
        "annotation 1 has the box [1, 2, 3]",
        'moon/first.png is of class "moon", which cls has in split "val" alone',
    )
    printed = capsys.readouterr().out
    for sentence in wanted:
        assert sum(sentence in fault for fault in report.faults) == 1
        assert sentence in printed
    assert "5 faults" in printed


def test_a_missing_split_does_not_hide_the_others(own: DataRoots):
    shutil.rmtree(own["det"] / "val")
    shutil.rmtree(own["cls"] / "train")
    faults = checked(own).faults
    assert ["mini_coco_det/val is missing" in f for f in faults] == [True, False]
    assert "imagenette_160/train is missing" in faults[1]


def test_parts_of_a_faulty_split_are_told_apart(own: DataRoots):
    edited(own, "train", lambda c: c["annotations"][0].update(bbox=[1, 2, 3]))
    report = checked(own, train_split="train:fit", eval_split="train:tune")
    assert report.images["det"] == {"train:fit": 10, "train:tune": 2}
    (fault,) = report.faults
    assert "[1, 2, 3]" in fault


def test_sets_that_are_not_there_are_left_out_unless_named(own: DataRoots, tmp_path: Path):
    shutil.rmtree(own["cls"])
    assert set(checked(own).images) == {"seg", "det"}
    (fault,) = checked(own, tasks=("cls",)).faults
    assert "imagenette_160 is missing" in fault
    with pytest.raises(InputError, match="holds no set, expected some of mini_voc_seg"):
        check(Options(tmp_path))


def two_values(own: DataRoots) -> None:
    (own["seg"] / "classes.txt").write_text("background\nobject\n")
    for mask in own["seg"].glob("*/*.png"):
        ids = np.array(Image.open(mask))
        Image.fromarray(np.where(ids > 0, 255, 0).astype(np.uint8)).save(mask)


def without_names(own: DataRoots) -> None:
    (own["seg"] / "classes.txt").unlink()


def never_occurring(own: DataRoots) -> None:
    (own["seg"] / "classes.txt").open("a").write("unicorn\n")


def only_in_val(own: DataRoots) -> None:
    def take_out(content: dict) -> None:
        content["annotations"] = [a for a in content["annotations"] if a["category_id"] != 2]

    edited(own, "train", take_out)


def one_class_alone(own: DataRoots) -> None:
    for folder in own["cls"].glob("*/*"):
        if folder.is_dir() and folder.name != "disc":
            shutil.rmtree(folder)


def no_box(own: DataRoots) -> None:
    edited(own, "val", lambda content: content["annotations"].clear())


def fractions(own: DataRoots) -> None:
    for split in ("train", "val"):
        edited(own, split, lambda c: [a.update(bbox=[v / 64 for v in a["bbox"]])
                                      for a in c["annotations"]])  # fmt: skip


def corners(own: DataRoots) -> None:
    def change(content: dict) -> None:
        for record in content["annotations"]:
            x, y, w, h = record["bbox"]
            record["bbox"] = [x, y, x + w, y + h]

    edited(own, "train", change)


def crowds(own: DataRoots) -> None:
    edited(own, "val", lambda c: [a.update(iscrowd=1) for a in c["annotations"]])


def turned_without_a_change_of_size(own: DataRoots) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    path = own["det"] / "train" / "train_000001.jpg"
    Image.open(path).save(path, exif=exif)


def unused_category(own: DataRoots) -> None:
    edited(own, "val", lambda c: c["categories"].append({"id": 99, "name": "moon"}))


def fixed_camera(own: DataRoots) -> None:
    source, target = own["det"] / "train" / "train_000001.jpg", own["det"] / "val"
    size = Image.open(target / "val_000001.jpg").size
    image = Image.open(source).resize(size)
    image.save(source, quality=95)
    ImageDraw.Draw(image).rectangle([20, 20, 23, 22], "red")
    image.save(target / "val_000001.jpg", quality=95)
    edited(own, "train", lambda c: c["images"][1].update(width=size[0], height=size[1]))


SURELY_NOT_MEANT = [
    (two_values, "masks of 0 and 255 alone: 255 means void, so class 1 (object) never occurs"),
    (without_names, "get VOC's names (background, aeroplane, bicycle, bird ...)"),
    (never_occurring, 'No image of seg holds "unicorn" in either split'),
    (only_in_val, 'Class "triangle" of det occurs in split "val" alone'),
    (one_class_alone, 'Split "train" of cls holds one class alone, "disc"'),
    (no_box, "has no box at all"),
    (fractions, "fractions of the image, it seems"),
    (corners, "corners (left, top, right, bottom), it seems"),
    (crowds, "has boxes of crowds alone"),
    (turned_without_a_change_of_size, "holds 1 images that their EXIF orientation turns"),
    (unused_category, "has no box of moon, nor has another file of the set: left out"),
    (fixed_camera, '1 of the 6 images of split "val" are nearly the same'),
]


@pytest.mark.parametrize(("change", "words"), SURELY_NOT_MEANT)
def test_what_is_legal_and_surely_not_meant_is_told(
    own: DataRoots, change: Callable[[DataRoots], None], words: str
):
    change(own)
    report = checked(own)
    assert report.faults == []
    assert any(words in warning for warning in report.warnings), report.warnings
    assert all(w.endswith(".") and "\n" not in w for w in report.warnings)


def test_near_identical_images_can_be_accepted(own: DataRoots):
    fixed_camera(own)
    assert checked(own, allow_near_duplicates=True).warnings == []


def test_an_image_in_both_splits_is_a_fault(own: DataRoots):
    disc = own["cls"] / "train" / "disc"
    shutil.copy(min(disc.iterdir()), own["cls"] / "val" / "disc" / "again.jpg")
    (fault,) = checked(own).faults
    assert "val/disc/again.jpg" in fault and "are the same image" in fault


def test_labels_of_the_unturned_image_are_faults_that_name_the_reason(own: DataRoots):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = own["det"] / "train" / "train_000001.jpg"
    Image.open(path).resize((64, 48)).save(path, exif=exif)
    edited(own, "train", lambda c: c["images"][1].update(width=64, height=48))
    (fault,) = [f for f in checked(own).faults if "train_000001.jpg" in f]
    assert "48 x 64 pixels once upright" in fault and "EXIF orientation 6" in fault
    edited(own, "train", lambda c: c["images"][1].update(width=48, height=64))
    assert checked(own).faults == []
