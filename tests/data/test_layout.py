"""Splits are read as they lie on disk, in a fixed order, with names that travel along."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_core.data.class_folders import IMAGENETTE_NAMES
from mtl_core.data.coco_annotations import clip_xywh
from mtl_core.data.mask_folders import VOC_CLASS_NAMES
from mtl_core.data.splits import TUNE_SHARE, in_tune_part
from mtl_core.tasks import TASKS
from mtl_core.tasks.data_roots import DataRoots, data_roots, read_split

KINDS = ["triangle", "disc", "star", "ring", "cross"]


def test_roots_lie_below_one_folder_unless_one_is_given_by_itself():
    roots = data_roots("data", {"det": "boxes"})
    assert roots == {
        "seg": Path("data/mini_voc_seg"),
        "det": Path("boxes"),
        "cls": Path("data/imagenette_160"),
    }


@pytest.mark.parametrize(
    ("task", "names"), [("seg", ["background", *KINDS]), ("det", KINDS), ("cls", sorted(KINDS))]
)
def test_class_names_come_from_the_set(scenes: DataRoots, task: str, names: list[str]):
    assert read_split(scenes, task, "val").class_names == names


def test_segmentation_has_vocs_names_unless_told_otherwise(own_scenes: DataRoots):
    (own_scenes["seg"] / "classes.txt").unlink()
    names = read_split(own_scenes, "seg", "val").class_names
    assert names == VOC_CLASS_NAMES
    assert (len(names), names[0], names[15], names[20]) == (21, "background", "person", "tvmonitor")


def test_imagenettes_folders_have_names_and_unknown_ones_keep_theirs(own_scenes: DataRoots):
    (own_scenes["cls"] / "classes.json").unlink()
    (own_scenes["cls"] / "val" / "ring").rename(own_scenes["cls"] / "val" / "n03888257")
    names = read_split(own_scenes, "cls", "val").class_names
    assert names == ["cross", "disc", "parachute", "star", "triangle"]
    assert len(IMAGENETTE_NAMES) == 10


def test_labels_follow_the_sorted_folders(scenes: DataRoots):
    split = read_split(scenes, "cls", "train")
    assert [split.class_names[i.label] for i in split.items] == [
        i.image.parent.name for i in split.items
    ]


def test_category_order_in_the_file_does_not_matter(own_scenes: DataRoots):
    before = read_split(own_scenes, "det", "val")
    content = json.loads(before.annotations.read_text())
    content["categories"].reverse()
    content["images"].reverse()
    before.annotations.write_text(json.dumps(content))
    after = read_split(own_scenes, "det", "val")
    assert after.class_names == before.class_names
    for a, b in zip(before.items, after.items, strict=True):
        assert (a.image, a.image_id) == (b.image, b.image_id)
        np.testing.assert_array_equal(a.labels, b.labels)


def test_boxes_are_corners_in_pixels_with_crowds_marked(own_scenes: DataRoots):
    path = own_scenes["det"] / "annotations" / "instances_val.json"
    content = json.loads(path.read_text())
    image, other = content["images"][0], content["images"][1]
    width, height = image["width"], image["height"]
    content["annotations"] = [
        {"id": 1, "image_id": image["id"], "category_id": 9, "bbox": [3, 4, 5.5, 6], "iscrowd": 0},
        {
            "id": 2,
            "image_id": image["id"],
            "category_id": 2,
            "bbox": [-2, 1, 999, 999],
            "iscrowd": 1,
        },
    ]
    path.write_text(json.dumps(content))
    items = {item.image_id: item for item in read_split(own_scenes, "det", "val").items}
    item = items[image["id"]]
    expected = np.array([[3, 4, 8.5, 10], [0, 1, width, height]], np.float32)
    np.testing.assert_array_equal(item.boxes_xyxy_px, expected)
    assert item.boxes_xyxy_px.dtype == np.float32
    assert (item.labels.tolist(), item.crowd.tolist()) == ([2, 0], [False, True])
    empty = items[other["id"]]  # an image without boxes is an ordinary image
    assert (empty.boxes_xyxy_px.shape, empty.labels.shape) == ((0, 4), (0,))
    assert (empty.labels.dtype, empty.crowd.dtype) == (np.int64, bool)


@pytest.mark.parametrize("task", TASKS)
def test_any_folder_name_is_a_split(own_scenes: DataRoots, task: str):
    before = read_split(own_scenes, task, "val")
    root = own_scenes[task]
    (root / "val").rename(root / "unseen")
    if task == "det":
        before.annotations.rename(root / "annotations" / "instances_unseen.json")
    after = read_split(own_scenes, task, "unseen")
    assert (after.name, after.class_names, len(after)) == (
        "unseen",
        before.class_names,
        len(before),
    )


@pytest.mark.parametrize("task", TASKS)
def test_fit_and_tune_divide_a_split(scenes: DataRoots, task: str):
    whole = read_split(scenes, task, "train")
    parts = [read_split(scenes, task, f"train:{part}") for part in ("fit", "tune")]
    assert [part.name for part in parts] == ["train:fit", "train:tune"]
    names = [[item.image for item in part.items] for part in parts]
    assert [len(part) for part in names] == [10, 2]
    assert not set(names[0]) & set(names[1])
    assert sorted(names[0] + names[1]) == sorted(item.image for item in whole.items)
    assert all(part.class_names == whole.class_names for part in parts)


def test_a_split_with_no_image_for_a_part_says_so(own_scenes: DataRoots):
    folder = own_scenes["seg"] / "val"
    keep = next(p for p in sorted(folder.glob("*.jpg")) if not in_tune_part(p))
    for path in folder.iterdir():
        if path.stem != keep.stem:
            path.unlink()
    assert len(read_split(own_scenes, "seg", "val:fit")) == 1
    with pytest.raises(ValueError, match=r'too few images \(1\) for a "val:tune" part'):
        read_split(own_scenes, "seg", "val:tune")


def test_the_tune_part_is_about_its_share_and_depends_on_the_stem_alone():
    stems = [f"{number:012d}" for number in range(4000)]
    share = np.mean([in_tune_part(Path("a") / f"{stem}.jpg") for stem in stems])
    assert abs(share - TUNE_SHARE) < 0.02
    assert all(
        in_tune_part(Path(f"a/{stem}.jpg")) == in_tune_part(Path(f"b/c/{stem}.JPEG"))
        for stem in stems[:200]
    )


def test_hidden_files_and_file_manager_litter_are_no_images(own_scenes: DataRoots):
    before = [len(read_split(own_scenes, task, "val")) for task in TASKS]
    for root in (own_scenes["seg"], own_scenes["det"], own_scenes["cls"]):
        (root / "val" / ".DS_Store").write_bytes(b"x")
        (root / "val" / "Thumbs.db").write_bytes(b"x")
    assert [len(read_split(own_scenes, task, "val")) for task in TASKS] == before


sides = st.integers(1, 2000)
numbers = st.floats(-5000, 5000)


@given(bbox=st.tuples(numbers, numbers, numbers, numbers), width=sides, height=sides)
def test_clipped_boxes_stay_inside(bbox: tuple, width: int, height: int):
    left, top, right, bottom = clip_xywh(bbox, width, height)
    assert min(left, right) >= 0 and max(left, right) <= width
    assert min(top, bottom) >= 0 and max(top, bottom) <= height


@given(st.data())
def test_a_box_inside_its_image_is_only_rewritten(data: st.DataObject):
    width, height = data.draw(sides), data.draw(sides)
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    right, bottom = data.draw(st.integers(left, width)), data.draw(st.integers(top, height))
    box = clip_xywh((left, top, right - left, bottom - top), width, height)
    assert box == (left, top, right, bottom)
