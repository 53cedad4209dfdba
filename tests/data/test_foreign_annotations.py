"""Annotation files and names as other tools and systems write them are read as they are meant."""

from __future__ import annotations

import json
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mtl_core.data.splits import DataFaults, Split
from mtl_core.tasks.data_roots import DataRoots, read_split
from mtl_core.types import InputError

Content = dict[str, list[dict]]


def annotation_file(roots: DataRoots, split: str = "val") -> Path:
    return roots["det"] / "annotations" / f"instances_{split}.json"


def edited(roots: DataRoots, change: Callable[[Content], object], split: str = "val") -> None:
    path = annotation_file(roots, split)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def each(records: str, **changes: Callable[[dict], object]) -> Callable[[Content], None]:
    """Sets values of every record of a list."""

    def apply(content: Content) -> None:
        for record in content[records]:
            record |= {key: value(record) for key, value in changes.items()}

    return apply


def assert_same(a: Split, b: Split) -> None:
    assert a.class_names == b.class_names
    for one, other in zip(a.items, b.items, strict=True):
        assert (one.image.name, one.width, one.height) == (
            other.image.name,
            other.width,
            other.height,
        )
        np.testing.assert_array_equal(one.boxes_xyxy_px, other.boxes_xyxy_px)
        np.testing.assert_array_equal(one.labels, other.labels)
        np.testing.assert_array_equal(one.crowd, other.crowd)


def in_order(*changes: Callable[[Content], None]) -> Callable[[Content], None]:
    def apply(content: Content) -> None:
        for change in changes:
            change(content)

    return apply


def ids_as(convert: Callable[[int], object]) -> Callable[[Content], None]:
    return in_order(
        each("images", id=lambda r: convert(r["id"])),
        each("categories", id=lambda r: convert(r["id"])),
        each(
            "annotations",
            image_id=lambda r: convert(r["image_id"]),
            category_id=lambda r: convert(r["category_id"]),
        ),
    )


MEANT_THE_SAME = {
    "numbers as text": in_order(
        each("images", width=lambda r: str(r["width"]), height=lambda r: float(r["height"])),
        each("annotations", bbox=lambda r: [str(v) for v in r["bbox"]]),
    ),
    "flags as text": each("annotations", iscrowd=lambda r: str(r["iscrowd"])),
    "flags": each("annotations", iscrowd=lambda r: bool(r["iscrowd"])),
    "no flags": each("annotations", iscrowd=lambda r: None),
    "ids as text": ids_as(lambda i: f"{i}"),
    "ids as floats": ids_as(float),
    "ids of any size": ids_as(lambda i: 10**25 + i),
    "ids that are names": ids_as(lambda i: f"id-{i:06d}"),
    "references as text": each("annotations", image_id=lambda r: str(r["image_id"])),
    "no ids of annotations": each("annotations", id=lambda r: None),
    "no sizes": each("images", width=lambda r: None, height=lambda r: None),
    "folders": each("images", file_name=lambda r: f"images/{r['file_name']}"),
    "Windows folders": each("images", file_name=lambda r: f"C:\\set\\val\\{r['file_name']}"),
    "another case": each("images", file_name=lambda r: r["file_name"].upper()),
    "this folder": each("images", file_name=lambda r: f"./{r['file_name']}"),
    "unused categories": lambda c: c["categories"].append({"id": 99, "name": "moon"}),
    "an unused category of a class's name": lambda c: c["categories"].insert(
        0, {"id": 0, "name": "disc", "supercategory": "none"}
    ),
    "polygons": each(
        "annotations",
        bbox=lambda r: None,
        segmentation=lambda r: [
            [
                *(r["bbox"][0], r["bbox"][1], r["bbox"][0] + r["bbox"][2], r["bbox"][1]),
                *(r["bbox"][0], r["bbox"][1] + r["bbox"][3]),
            ]
        ],
    ),
}


@pytest.mark.parametrize("change", MEANT_THE_SAME.values(), ids=MEANT_THE_SAME)
def test_what_means_the_same_is_read_the_same(
    scenes: DataRoots, own_scenes: DataRoots, change: Callable[[Content], None]
):
    edited(own_scenes, change)
    after = read_split(own_scenes, "det", "val")
    assert_same(after, read_split(scenes, "det", "val"))
    assert all(abs(item.image_id) < 2**63 for item in after.items)
    assert len({item.image_id for item in after.items}) == len(after)


@pytest.mark.parametrize("packed", [True, False])
def test_boxes_are_computed_from_run_lengths(own_scenes: DataRoots, packed: bool):
    def change(content: Content) -> None:
        sizes = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
        for record in content["annotations"]:
            x, y, w, h = (int(v) for v in record.pop("bbox"))
            mask = np.zeros(sizes[record["image_id"]], np.uint8)
            mask[y : y + max(1, h), x : x + max(1, w)] = 1
            runs = coco_mask.encode(np.asfortranarray(mask))
            counts = runs["counts"].decode()
            if not packed:
                edges = np.flatnonzero(np.diff(mask.ravel("F"), prepend=0)).tolist()
                counts = np.diff([0, *edges, mask.size]).tolist()
            record["segmentation"] = {"size": list(mask.shape), "counts": counts}

    before = read_split(own_scenes, "det", "val")
    edited(own_scenes, change)
    for one, other in zip(before.items, read_split(own_scenes, "det", "val").items, strict=True):
        assert np.abs(one.boxes_xyxy_px - other.boxes_xyxy_px).max() <= 1


@pytest.mark.parametrize(
    "segmentation", [[[1, 2, 3]], [5], [], {"size": [1, 1], "counts": [1]}, {"counts": "xx"}, 5]
)
def test_what_gives_no_box_is_named(own_scenes: DataRoots, segmentation: object):
    changes = {"bbox": None, "segmentation": segmentation}
    edited(own_scenes, lambda c: c["annotations"][0].update(changes))
    with pytest.raises(InputError, match=r"annotation 1 has no .*bbox"):
        read_split(own_scenes, "det", "val")


def test_a_byte_order_mark_is_no_text(scenes: DataRoots, own_scenes: DataRoots):
    files = [
        annotation_file(own_scenes),
        own_scenes["seg"] / "classes.txt",
        own_scenes["cls"] / "classes.json",
    ]
    for path in files:
        content = path.read_bytes().replace(b"\n", b"\r\n")
        path.write_bytes(b"\xef\xbb\xbf" + content)
    for task in scenes:
        names = [read_split(roots, task, "val").class_names for roots in (scenes, own_scenes)]
        assert names[0] == names[1]


def test_another_encoding_is_refused_by_its_line(own_scenes: DataRoots):
    path = own_scenes["seg"] / "classes.txt"
    path.write_bytes("background\nSägefisch\n".encode("cp1252"))
    with pytest.raises(InputError, match=r"classes\.txt cannot be read \(line 2: .*UTF-8"):
        read_split(own_scenes, "seg", "val")


@pytest.mark.parametrize(("on_disk", "listed"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_composed_and_decomposed_names_are_one(own_scenes: DataRoots, on_disk: str, listed: str):
    folder = own_scenes["det"] / "val"
    name = unicodedata.normalize(on_disk, "Café_Zürich.jpg")
    (folder / "val_000000.jpg").rename(folder / name)
    listed_name = unicodedata.normalize(listed, name)
    edited(own_scenes, lambda c: c["images"][0].update(file_name=listed_name))
    assert name in [item.image.name for item in read_split(own_scenes, "det", "val").items]

    folder = own_scenes["cls"] / "val"
    (folder / "ring").rename(folder / unicodedata.normalize(on_disk, "café"))
    table = json.loads((own_scenes["cls"] / "classes.json").read_text())
    table[unicodedata.normalize(listed, "café")] = unicodedata.normalize(listed, "Café")
    (own_scenes["cls"] / "classes.json").write_text(json.dumps(table))
    assert unicodedata.normalize("NFC", "Café") in read_split(own_scenes, "cls", "val").class_names


def test_images_in_folders_and_as_webp_are_found(scenes: DataRoots, own_scenes: DataRoots):
    folder = own_scenes["det"] / "val"
    (folder / "more").mkdir()
    (folder / "val_000000.jpg").rename(folder / "more" / "val_000000.jpg")
    Image.open(folder / "val_000001.jpg").save(folder / "val_000001.webp")
    (folder / "val_000001.jpg").unlink()
    edited(own_scenes, lambda c: c["images"][1].update(file_name="val_000001.webp"))
    assert len(read_split(own_scenes, "det", "val")) == 6

    ring = own_scenes["cls"] / "val" / "ring"
    (ring / "more").mkdir()
    image = next(ring.glob("*.JPEG"))
    image.rename(ring / "more" / image.name)
    before, after = (read_split(roots, "cls", "val") for roots in (scenes, own_scenes))
    assert sorted(i.label for i in before.items) == sorted(i.label for i in after.items)


def test_roboflows_folder_is_read_as_it_is_unpacked(scenes: DataRoots, own_scenes: DataRoots):
    root = own_scenes["det"]
    for split, folder in (("train", "train"), ("val", "valid")):
        (root / split).rename(root / folder)
        annotation_file(own_scenes, split).rename(root / folder / "_annotations.coco.json")
    shutil.rmtree(root / "annotations")
    (root / "README.roboflow.txt").write_text("exported")
    for split in ("train", "val"):
        found = read_split(own_scenes, "det", split)
        assert found.name == split
        assert_same(found, read_split(scenes, "det", split))


def test_a_category_with_boxes_in_another_file_stays_a_class(own_scenes: DataRoots):
    edited(own_scenes, lambda c: c["categories"].append({"id": 99, "name": "moon"}), "train")
    assert "moon" not in read_split(own_scenes, "det", "train").class_names

    def show_moon(content: Content) -> None:
        content["categories"].append({"id": 98, "name": "moon"})
        content["annotations"][0]["category_id"] = 98

    edited(own_scenes, show_moon)
    assert "moon" in read_split(own_scenes, "det", "train").class_names


def test_all_faults_of_a_file_are_told_at_once(own_scenes: DataRoots):
    edited(own_scenes, lambda c: c["annotations"][0].update(bbox=[1, 2, 3]))
    edited(own_scenes, lambda c: c["annotations"][1].update(category_id=77))
    (own_scenes["det"] / "val" / "val_000002.jpg").unlink()
    with pytest.raises(DataFaults) as caught:
        read_split(own_scenes, "det", "val")
    assert len(caught.value.sentences) == 3
    assert "and 2 more faults" in str(caught.value)
    assert caught.value.split is not None and len(caught.value.split) == 5
