"""Masks are found beside their images, or in folders of their own, and hold ids or colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtl_core.data.mask_folders import read_mask_folder
from mtl_core.data.mask_io import read_mask, read_seg
from mtl_core.types import InputError

IDS = np.array([[0, 1, 2], [2, 255, 0]], np.uint8)
NAMES = "background\nroad\nsky\n"
PAINTED = "background 0 0 0\nroad 128 64 128\nthe sky 70 130 180\nvoid 255 255 255\n"
COLOURS = np.array([[0, 0, 0], [128, 64, 128], [70, 130, 180]], np.uint8)


def image_at(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (3, 2), "red").save(path)


def mask_at(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(IDS).save(path)


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("val/a.jpg", "val/a.png"),
        ("val/a.webp", "val/a.png"),
        ("val/a.jpg", "val/a_mask.png"),
        ("val/a.png", "val/a_mask.png"),
        ("val/a_img.png", "val/a.png"),
        ("val/images/a.png", "val/masks/a.png"),
        ("val/images/a.jpg", "val/labels/a.tif"),
        ("val/images/town/a.png", "val/masks/town/a_mask.png"),
        ("images/val/a.png", "masks/val/a.png"),
        ("valid/a.jpg", "valid/a.png"),
    ],
)
def test_masks_are_found(tmp_path: Path, image: str, mask: str):
    (tmp_path / "classes.txt").write_text(NAMES)
    image_at(tmp_path / image)
    mask_at(tmp_path / mask)
    split = read_mask_folder(tmp_path, "val")
    (item,) = split.items
    assert (item.image, item.mask) == (tmp_path / image, tmp_path / mask)
    np.testing.assert_array_equal(read_seg(item, len(split.class_names))[1], IDS)


def test_png_files_that_cannot_be_told_apart_are_explained(tmp_path: Path):
    for name in ("a", "b"):
        image_at(tmp_path / "val" / f"{name}.png")
    with pytest.raises(InputError, match=r"expected images/ and masks/ folders .* a_mask\.png"):
        read_mask_folder(tmp_path, "val")


def test_unmatched_files_of_two_folders_are_named(tmp_path: Path):
    image_at(tmp_path / "val/images/a.png")
    image_at(tmp_path / "val/images/b.png")
    mask_at(tmp_path / "val/masks/b.png")
    mask_at(tmp_path / "val/masks/c.png")
    with pytest.raises(InputError) as caught:
        read_mask_folder(tmp_path, "val")
    assert ["masks/a.png is missing" in s for s in caught.value.sentences] == [True, False]
    assert "c.png is a mask without an image" in caught.value.sentences[1]


@pytest.mark.parametrize("mode", ["L", "P", "I;16", "RGB", "I"])
def test_ids_are_kept_in_every_depth(tmp_path: Path, mode: str):
    image = Image.fromarray(IDS)
    if mode == "P":
        image.putpalette([9, 9, 9] * 256)
    elif mode == "I;16":
        image = Image.fromarray(IDS.astype(np.uint16))
    elif mode != "L":
        image = image.convert(mode)
    path = tmp_path / ("a.tif" if mode == "I" else "a.png")
    image.save(path)
    np.testing.assert_array_equal(read_mask(path, 3), IDS)


def test_one_bit_is_background_and_object(tmp_path: Path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    assert read_mask(tmp_path / "a.png", 2).tolist() == [[1, 0]]


@pytest.mark.parametrize("palette", [False, True])
def test_painted_masks_are_read_by_their_table(tmp_path: Path, palette: bool):
    (tmp_path / "classes.txt").write_text(PAINTED)
    image_at(tmp_path / "val/a.jpg")
    painted = np.where(IDS[..., None] == 255, 255, COLOURS[np.minimum(IDS, 2)]).astype(np.uint8)
    image = Image.fromarray(painted)
    (image.quantize(4) if palette else image).save(tmp_path / "val/a.png")
    split = read_mask_folder(tmp_path, "val")
    assert split.class_names == ["background", "road", "the sky"]
    np.testing.assert_array_equal(read_seg(split.items[0], 3)[1], IDS)
    painted[0, 0] = 1, 2, 3
    Image.fromarray(painted).save(tmp_path / "val/a.png")
    with pytest.raises(InputError, match=r"a\.png holds the colour 1 2 3, expected one of classes"):
        read_seg(split.items[0], 3)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("background 0 0 0\nroad\n", "line 2"),
        ("background 0 0 0\nroad 0 0 256\n", "line 2"),
        ("background 0 0 0\nroad 1 1 1\nsky 1 1 1\n", "line 3"),
    ],
)
def test_a_wrong_line_of_colours_is_named(tmp_path: Path, text: str, line: str):
    (tmp_path / "classes.txt").write_text(text)
    image_at(tmp_path / "val/a.jpg")
    mask_at(tmp_path / "val/a.png")
    with pytest.raises(InputError, match=f"{line} .*expected .name red green blue"):
        read_mask_folder(tmp_path, "val")


def test_compressed_masks_are_refused_for_what_they_are(tmp_path: Path):
    Image.fromarray(IDS).save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"a\.jpg is JPEG, which alters ids, expected a PNG mask"):
        read_mask(tmp_path / "a.jpg", 3)
