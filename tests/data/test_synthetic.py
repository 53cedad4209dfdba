"""Rendered scenes: the same for the same seed, and labelled by what can be seen."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mtl_core.data.fingerprint import fingerprint
from mtl_core.data.image_io import read_det
from mtl_core.data.mask_io import read_seg
from mtl_core.data.synthetic.dataset import voc_palette
from mtl_core.data.synthetic.scene import Scene
from mtl_core.data.synthetic.shapes import KIND_NAMES, KINDS, area_px
from mtl_core.tasks import TASKS
from mtl_core.tasks.data_roots import DataRoots, read_split
from mtl_core.tasks.rendered_sets import render_dataset
from mtl_core.types import InputError


def prints(roots: DataRoots, split: str) -> list[str]:
    return [fingerprint(read_split(roots, task, split))["sha256"] for task in TASKS]


def test_the_seed_decides_every_byte(scenes: DataRoots, tmp_path: Path):
    again = render_dataset(tmp_path / "again", {"val": 6}, 64, seed=3)
    other = render_dataset(tmp_path / "other", {"val": 6}, 64, seed=4)
    assert prints(again, "val") == prints(scenes, "val")
    assert not set(prints(other, "val")) & set(prints(scenes, "val"))


def test_a_larger_set_contains_the_smaller(scenes: DataRoots, tmp_path: Path):
    small = render_dataset(tmp_path, {"train": 5}, 64, seed=3)
    for item in read_split(small, "seg", "train").items:
        assert item.image.read_bytes() == (scenes["seg"] / "train" / item.image.name).read_bytes()


def test_every_split_has_its_count_and_every_kind(scenes: DataRoots):
    for split, count in (("train", 12), ("val", 6)):
        seg, det, cls = (read_split(scenes, task, split) for task in TASKS)
        assert [len(s) for s in (seg, det, cls)] == [count] * 3
        assert {label for item in det.items for label in item.labels} == set(range(5))
        assert Counter(i.label for i in cls.items).keys() == set(range(5))
        seen = set().union(*(np.unique(read_seg(item, 6)[1]) for item in seg.items))
        assert seen == {0, 1, 2, 3, 4, 5, 255}


def test_images_have_the_size_asked_for(scenes: DataRoots):
    shapes = [read_det(item).shape[:2] for item in read_split(scenes, "det", "train").items]
    assert all(max(shape) == 64 and min(shape) >= 44 for shape in shapes)
    assert len(set(shapes)) > 3


def test_category_ids_are_no_indices(scenes: DataRoots):
    split = read_split(scenes, "det", "val")
    categories = json.loads(split.annotations.read_text())["categories"]
    assert [c["id"] for c in categories] != list(range(len(categories)))


def test_masks_carry_vocs_colours(scenes: DataRoots):
    mask = Image.open(read_split(scenes, "seg", "val").items[0].mask)
    assert mask.mode == "P"
    palette = np.array(voc_palette()).reshape(-1, 3)
    assert palette[[0, 1, 15, 20, 255]].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [192, 128, 128],
        [0, 64, 128],
        [224, 224, 192],
    ]
    assert mask.getpalette()[: 3 * 21] == palette[:21].ravel().tolist()


def blank_scene(seed: int) -> Scene:
    return Scene.with_background(72, 96, np.random.default_rng(seed))


@given(seed=st.integers(0, 2**32), kinds=st.lists(st.integers(0, 4), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_boxes_are_tight_and_hidden_parts_belong_to_no_one(seed: int, kinds: list[int]):
    scene = blank_scene(seed)
    placed = [kind for kind in kinds if scene.place(kind, 14)]
    instances = scene.instances()
    assert [instance.kind for instance in instances] == placed
    assert sum(i.visible.astype(int) for i in instances).max(initial=0) <= 1 if placed else True
    for instance in instances:
        left, top, width, height = instance.box_xywh()
        inside = instance.visible[top : top + height, left : left + width]
        assert inside.sum() == instance.visible.sum() > 0
        assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()


def test_no_object_hides_another_beyond_recognition():
    scene = blank_scene(5)
    for number in range(30):
        scene.place(number % 5, 20)
    shape_areas = [area_px(KINDS[KIND_NAMES[i.kind]][0], 20) for i in scene.instances()]
    shown = [i.visible.sum() / area for i, area in zip(scene.instances(), shape_areas, strict=True)]
    assert len(shown) > 3 and min(shown) > 0.55 * 0.55 * 0.9


def test_void_lines_every_outline():
    scene = blank_scene(1)
    assert scene.place(1, 20)
    mask, disc = scene.mask(), scene.instances()[0].visible
    border = np.argwhere(disc[1:-1, 1:-1] & ~disc[:-2, 1:-1]) + 1
    assert len(border) and (mask[tuple(border.T)] == 255).all()
    centre = np.argwhere(disc).mean(0).round().astype(int)
    assert mask[tuple(centre)] == 2
    assert set(np.unique(mask)) == {0, 2, 255}


def test_a_crowd_is_one_box_over_many():
    scene = blank_scene(2)
    assert any(scene.place_crowd(1, 4, 8) for _ in range(10))
    (crowd,) = scene.instances()
    assert crowd.crowd and min(crowd.box_xywh()[2:]) > 8


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_shapes_are_distances(kind: str):
    """Zero on the outline, negative inside, and never growing faster than the way walked."""
    shape = KINDS[kind][0]
    y, x = np.mgrid[-1.5:1.5:301j, -1.5:1.5:301j]
    distance = shape(x, y)
    assert distance.min() < -0.1 and distance[0, 0] > 0.3
    assert np.abs(np.gradient(distance, 0.01)).max() < 1.2
    assert (np.hypot(x, y)[distance < 0] <= 1.1).all()


@pytest.mark.parametrize(
    ("counts", "size_px", "words"),
    [
        ({"train": 4}, 64, r'count for split "train" is 4, expected at least 5'),
        ({"train": 5}, 20, r"size_px is 20, expected at least 48"),
    ],
)
def test_too_small_sets_are_refused(tmp_path: Path, counts: dict, size_px: int, words: str):
    with pytest.raises(InputError, match=words):
        render_dataset(tmp_path / "out", counts, size_px)
    assert not (tmp_path / "out").exists()
