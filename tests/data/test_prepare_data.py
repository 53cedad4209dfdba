"""The command that makes a data folder, from rendered scenes and from official downloads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtl_core.data.class_folders import IMAGENETTE_NAMES
from mtl_core.data.fingerprint import fingerprint
from mtl_core.data.synthetic.dataset import voc_palette
from mtl_core.tasks import TASKS
from mtl_core.tasks.data_roots import DataRoots, data_roots, read_split
from mtl_core.types import InputError
from training.prepare_data import Options, main, prepare_data
from training.sources.official import DETECTION_CLASSES

SPLITS = ("train", "val")
COCO_IDS = [1, 3, 6, 16, 17, 18, 44, 47, 62, 67]


def image(path: Path, rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    blocks.resize((64, 48), Image.Resampling.BICUBIC).save(path, "JPEG")


@pytest.fixture(scope="session")
def made_downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders that the three official archives unpack to, with a few images of noise."""
    root, rng = tmp_path_factory.mktemp("downloads"), np.random.default_rng(0)
    for split, count in (("train", 30), ("val", 14)):
        make_coco(root / "coco", split, count, rng)
        for wnid in IMAGENETTE_NAMES:
            for number in range(3):
                image(root / "imagenette" / split / wnid / f"{wnid}_{split}{number}.JPEG", rng)
    voc = root / "voc" / "VOCdevkit" / "VOC2012"
    make_voc(voc, rng)
    return root


def make_coco(root: Path, split: str, count: int, rng: np.random.Generator) -> None:
    first = 1000 if split == "train" else 5000
    images, boxes = [], []
    for number in range(count):
        image_id = first + 7 * number
        name = f"{image_id:012d}.jpg"
        image(root / f"{split}2017" / name, rng)
        images.append({"id": image_id, "file_name": name, "width": 64, "height": 48})
        for category in (COCO_IDS[number % 10], 1, 90):  # 90 is a toothbrush, not among the ten
            row = {"id": 100 * image_id + len(boxes), "image_id": image_id, "iscrowd": 0}
            row |= {"category_id": category, "bbox": [5, 5, 20.25, 30], "area": 600.0}
            boxes.append(row | {"segmentation": [[5, 5, 25, 5, 25, 35]]})
    # An image with a box of no area, and one with nothing of the ten classes.
    for image_id, category, bbox in ((1, 1, [5, 5, 0, 3]), (2, 90, [5, 5, 5, 5])):
        images.append({"id": image_id, "file_name": f"{image_id}.jpg", "width": 64, "height": 48})
        row = {"id": image_id, "image_id": image_id, "category_id": category, "bbox": bbox}
        boxes.append(row | {"iscrowd": 0, "area": 0})
    names = dict(zip(COCO_IDS, DETECTION_CLASSES, strict=True)) | {90: "toothbrush"}
    content = {
        "images": images,
        "annotations": boxes,
        "categories": [{"id": i, "name": name} for i, name in names.items()],
    }
    path = root / "annotations" / f"instances_{split}2017.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def make_voc(root: Path, rng: np.random.Generator) -> None:
    def mask(folder: str, name: str) -> None:
        (root / folder).mkdir(exist_ok=True, parents=True)
        canvas = Image.fromarray(rng.choice([0, 7, 20, 255], (48, 64)).astype(np.uint8))
        if folder == "SegmentationClass":  # the extended masks come without a palette
            canvas.putpalette(voc_palette())
        canvas.save(root / folder / f"{name}.png")

    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    for split, count in (("train", 4), ("val", 14)):
        names = [f"{split}_{number}" for number in range(count)]
        (lists / f"{split}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            image(root / "JPEGImages" / f"{name}.jpg", rng)
            mask("SegmentationClass", name)
            mask("SegmentationClassAug", name)
    for number in range(12):
        image(root / "JPEGImages" / f"extra_{number}.jpg", rng)
        mask("SegmentationClassAug", f"extra_{number}")


@pytest.fixture
def downloads(made_downloads: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    shutil.copytree(made_downloads, tmp_path / "downloads")
    return tmp_path / "downloads"


@pytest.fixture(scope="session")
def sampled(made_downloads: Path, tmp_path_factory: pytest.TempPathFactory) -> DataRoots:
    """What the command makes of the downloads."""
    return prepare_data(official(made_downloads, tmp_path_factory.mktemp("sampled")))


def official(downloads: Path, out: Path, seed: int = 0) -> Options:
    coco, voc, imagenette = (downloads / name for name in ("coco", "voc", "imagenette"))
    return Options("official", out, 12, 10, seed, coco=coco, voc=voc, imagenette=imagenette)


def test_synthetic_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "my scenes"
    counts = ["--train", "6", "--val", "5", "--size-px", "64"]
    main(["--source", "synthetic", "--out", str(out), *counts])
    printed = capsys.readouterr().out
    assert f"python -m training.train --data '{out}' --out runs/first" in printed
    assert [line.split()[:3] for line in printed.splitlines()[1:3]] == [
        ["segmentation", "train", "6"],
        ["segmentation", "val", "5"],
    ]
    assert len(read_split(data_roots(out), "det", "train")) == 6


def test_the_official_sample_has_the_counts_and_all_classes(sampled: DataRoots):
    for task, class_count in (("seg", 21), ("det", 10), ("cls", 10)):
        for name, count in (("train", 12), ("val", 10)):
            split = read_split(sampled, task, name)
            assert (len(split), len(split.class_names)) == (count, class_count)
    det = read_split(sampled, "det", "val")
    assert det.class_names == DETECTION_CLASSES
    assert {label for item in det.items for label in item.labels} == set(range(10))
    assert read_split(sampled, "cls", "val").class_names == list(IMAGENETTE_NAMES.values())


def test_official_ids_boxes_and_bytes_are_kept(made_downloads: Path, sampled: DataRoots):
    for name in ("train", "val"):
        source = made_downloads / "coco" / "annotations" / f"instances_{name}2017.json"
        boxes = {row["id"]: row for row in json.loads(source.read_text())["annotations"]}
        split = read_split(sampled, "det", name)
        content = json.loads(split.annotations.read_text())
        assert [c["id"] for c in content["categories"]] == COCO_IDS
        assert len(content["annotations"]) == 2 * len(split)  # without the toothbrushes
        for row in content["annotations"]:
            del boxes[row["id"]]["segmentation"]
            assert row == boxes[row["id"]]
        for item in split.items:
            original = made_downloads / "coco" / f"{name}2017" / item.image.name
            assert item.image.read_bytes() == original.read_bytes()


def test_extended_masks_are_for_training_alone(sampled: DataRoots):
    train, val = ({i.image.stem for i in read_split(sampled, "seg", s).items} for s in SPLITS)
    assert any(name.startswith("extra") for name in train)
    assert not any(name.startswith("val") for name in train)
    assert all(name.startswith("val") for name in val)


def test_the_original_mask_goes_before_the_extended_one(sampled: DataRoots):
    for item in read_split(sampled, "seg", "val").items:
        assert Image.open(item.mask).mode == "P"


def test_the_seed_draws_other_images(made_downloads: Path, sampled: DataRoots, tmp_path: Path):
    def prints(roots: DataRoots) -> list[str]:
        return [fingerprint(read_split(roots, t, "train"))["sha256"] for t in TASKS]

    again = prepare_data(official(made_downloads, tmp_path / "again"))
    other = prepare_data(official(made_downloads, tmp_path / "other", seed=1))
    assert prints(again) == prints(sampled)
    assert not set(prints(other)) & set(prints(sampled))


def delete(name: str) -> Callable[[Path], None]:
    def apply(downloads: Path) -> None:
        path = downloads / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return apply


def without_cups(downloads: Path) -> None:
    path = downloads / "coco" / "annotations" / "instances_train2017.json"
    path.write_text(path.read_text().replace('"cup"', '"mug"'))


def one_class_short(downloads: Path) -> None:
    for path in sorted((downloads / "imagenette" / "val" / "n01440764").iterdir()):
        path.unlink()


def leak(downloads: Path) -> None:
    """Every validation image of a class becomes one that stands in train."""
    folders = [downloads / "imagenette" / split / "n01440764" for split in SPLITS]
    for path in sorted(folders[1].iterdir()):
        path.unlink()
    for path in sorted(folders[0].iterdir()):
        shutil.copy(path, folders[1] / f"renamed_{path.name}")
        shutil.copy(path, folders[0] / f"twice_{path.name}")


BROKEN_DOWNLOADS = [
    (delete("coco/annotations/instances_val2017.json"), "instances_val2017.json is missing"),
    (delete("coco/train2017"), r"coco/train2017/\d+\.jpg is missing, expected a file of the off"),
    (without_cups, 'instances_train2017.json has no category "cup"'),
    (delete("voc/VOCdevkit/VOC2012/JPEGImages"), "voc/JPEGImages is missing, expected the unp"),
    (delete("voc/VOCdevkit/VOC2012/ImageSets"), "Segmentation/train.txt is missing"),
    (delete("voc/VOCdevkit/VOC2012/SegmentationClassAug"), "has 4 images with masks for train"),
    (delete("imagenette/val"), "imagenette/val is missing"),
    (one_class_short, "val/n01440764 has 0 images, expected at least 1"),
    (leak, "are the same image"),
]


@pytest.mark.parametrize(("damage", "words"), BROKEN_DOWNLOADS)
def test_broken_downloads_are_named_and_leave_nothing_behind(
    downloads: Path, tmp_path: Path, damage: Callable[[Path], None], words: str
):
    damage(downloads)
    out = tmp_path / "out"
    with pytest.raises(InputError, match=words):
        prepare_data(official(downloads, out))
    assert not out.exists() or not any(out.iterdir())


def test_a_folder_with_content_is_not_written_to(tmp_path: Path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(SystemExit, match="is not empty, expected a new or empty folder"):
        main(["--source", "synthetic", "--out", str(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"source": "official", "voc": Path("v")}, "lacks --coco and --imagenette, expected all"),
        ({"source": "synthetic", "coco": Path("c")}, "--coco came with --source synthetic"),
        ({"source": "synthetic", "val": 0}, "--val is 0, expected at least 1"),
    ],
)
def test_contradicting_options_are_refused(tmp_path: Path, options: dict, words: str):
    with pytest.raises(InputError, match=words):
        Options(out=tmp_path, **options)
