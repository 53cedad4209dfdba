"""Pixels and masks are read as they are stored, and faulty files are named."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.extra import numpy as hnp
from PIL import Image

from mtl_core.data.image_io import read_det, read_image
from mtl_core.data.mask_io import read_mask, read_seg
from mtl_core.data.synthetic.dataset import voc_palette
from mtl_core.tasks.data_roots import DataRoots, read_split
from mtl_core.types import InputError

GREY = np.arange(24, dtype=np.uint8).reshape(4, 6)


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def palette_mask(path: Path, ids: np.ndarray, **options: object) -> Path:
    image = Image.fromarray(ids)
    image.putpalette(voc_palette())
    return save(path, image, **options)


@given(ids=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("with_palette", [True, False])
def test_masks_keep_every_id(tmp_path: Path, ids: np.ndarray, with_palette: bool):
    path = tmp_path / "mask.png"
    if with_palette:
        palette_mask(path, ids)
    else:
        Image.fromarray(ids).save(path)
    np.testing.assert_array_equal(read_mask(path, 255), ids)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_masks_with_a_small_palette_keep_their_ids(tmp_path: Path, bits: int):
    ids = np.array([[0, 1], [1, 0]], np.uint8)
    path = palette_mask(tmp_path / "mask.png", ids, bits=bits)
    np.testing.assert_array_equal(read_mask(path, 21), ids)


def test_void_is_kept_and_nothing_else_above_the_classes(tmp_path: Path):
    ids = np.array([[0, 20], [255, 255]], np.uint8)
    np.testing.assert_array_equal(read_mask(palette_mask(tmp_path / "m.png", ids), 21), ids)
    with pytest.raises(InputError, match=r"m\.png holds the class id 20, expected 0 to 19, or 255"):
        read_mask(tmp_path / "m.png", 20)


def grey_of_four_bits(path: Path) -> Path:
    """A grey PNG whose samples have four bits, which Pillow reads but does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    header = struct.pack(">IIBBBBB", 2, 1, 4, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\x12")) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def cut(path: Path, keep: float = 0.5) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    return path


def noise(path: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    return save(path, Image.fromarray(values))


BAD_MASKS = [
    (lambda p: p, ["is missing", "a whole mask"]),
    (lambda p: save(p, Image.new("RGB", (6, 4), "red")), ["mode RGB", "expected a mask", "mode P"]),
    (lambda p: save(p, Image.new("LA", (6, 4))), ["mode LA", "expected a mask"]),
    (lambda p: save(p, Image.new("I;16", (6, 4), 300)), ["class id 300", "0 to 20"]),
    (lambda p: palette_mask(p, np.full((4, 6), 21, np.uint8)), ["class id 21", "0 to 20"]),
    (lambda p: palette_mask(p, GREY[:2, :3]), ["3 x 2 pixels", "expected 6 x 4"]),
    (
        lambda p: cut(palette_mask(p, np.zeros((4, 6), np.uint8)), 0.95),
        ["cannot be read", "whole mask"],
    ),
    (lambda p: p.touch(), ["cannot identify it", "expected a whole mask"]),
    (lambda p: p.write_text("text") and p, ["cannot identify it", "expected a whole mask"]),
]


@pytest.mark.parametrize(("make", "words"), BAD_MASKS)
def test_bad_masks_are_named(tmp_path: Path, make: Callable[[Path], Path], words: list[str]):
    make(tmp_path / "mask.png")
    with pytest.raises(InputError) as caught:
        read_mask(tmp_path / "mask.png", 21, (6, 4))
    assert all(word in str(caught.value) for word in ["mask.png", *words])


BAD_IMAGES = [
    ("p.jpg", lambda p: p, ["is missing", "expected a whole image"]),
    ("p.jpg", lambda p: cut(noise(p)), ["cannot be read", "truncated", "expected a whole image"]),
    ("p.jpg", lambda p: cut(noise(p), 0.02), ["cannot be read", "expected a whole image"]),
    ("p.png", lambda p: cut(noise(p)), ["cannot be read", "expected a whole image"]),
    ("p.jpg", lambda p: p.write_text("<html>") and p, ["cannot identify it", "expected"]),
    ("p.jpg", lambda p: p.mkdir(), ["cannot be read", "expected a whole image"]),
    ("p.png", lambda p: save(p, Image.new("RGB", (5, 4))), ["5 x 4 pixels", "expected 64 x 64"]),
]


@pytest.mark.parametrize(("name", "make", "words"), BAD_IMAGES)
def test_bad_images_are_named(
    tmp_path: Path, name: str, make: Callable[[Path], object], words: list[str]
):
    make(tmp_path / name)
    with pytest.raises(InputError) as caught:
        read_image(tmp_path / name, (64, 64))
    assert all(word in str(caught.value) for word in [name, *words])
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA", "CMYK", "1"])
def test_every_mode_of_eight_bits_becomes_rgb(tmp_path: Path, mode: str):
    suffix = "jpg" if mode == "CMYK" else "png"
    path = save(tmp_path / f"p.{suffix}", Image.new("RGB", (6, 4), "white").convert(mode))
    pixels = read_image(path)
    assert (pixels.shape, pixels.dtype) == ((4, 6, 3), np.uint8)
    assert pixels.min() > 250
    assert pixels.flags.writeable  # torch shares the memory and warns otherwise


def test_items_are_read_with_their_labels(scenes: DataRoots):
    split = read_split(scenes, "seg", "val")
    for item in split.items:
        image, mask = read_seg(item, len(split.class_names))
        assert image.shape[:2] == mask.shape
    for item in read_split(scenes, "det", "val").items:
        assert read_det(item).shape == (item.height, item.width, 3)


def test_a_mask_of_another_size_than_its_image_is_refused(own_scenes: DataRoots):
    item = read_split(own_scenes, "seg", "val").items[0]
    palette_mask(item.mask, np.zeros((5, 7), np.uint8))
    with pytest.raises(InputError, match=r"val_000000\.png is 7 x 5 pixels, expected .* image"):
        read_seg(item, 6)


def test_an_image_of_another_size_than_annotated_is_refused(own_scenes: DataRoots):
    item = read_split(own_scenes, "det", "val").items[0]
    Image.new("RGB", (7, 5)).save(item.image)
    with pytest.raises(InputError, match=r"val_000000\.jpg is 7 x 5 pixels, expected"):
        read_det(item)
