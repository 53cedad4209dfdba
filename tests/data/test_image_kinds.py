"""Whatever an image file holds, it is read as people see it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from torch.utils.data import DataLoader, Dataset

from mtl_core.data.image_io import FORMATS, read_det, read_frame, read_image
from mtl_core.data.mask_io import read_seg
from mtl_core.data.splits import DetItem, SegItem
from mtl_core.types import InputError

CORNERS = np.zeros((16, 24, 3), np.uint8)
CORNERS[:8, :8, 0], CORNERS[8:, 16:, 1] = 255, 255


def with_orientation(path: Path, orientation: int, image: Image.Image | None = None) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    if path.suffix == ".tif":
        exif = None
    options = {"exif": exif} if exif else {"tiffinfo": {274: orientation}}
    (image or Image.fromarray(CORNERS)).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_upright(tmp_path: Path, suffix: str, orientation: int):
    options = {"lossless": True} if suffix == "webp" else {}
    path = tmp_path / f"a.{suffix}"
    if options:
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(CORNERS).save(path, exif=exif, **options)
    else:
        with_orientation(path, orientation)
    png = with_orientation(tmp_path / "reference.png", orientation)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(png)))
    np.testing.assert_array_equal(read_image(path), expected)
    assert read_frame(path).upright_wh == expected.shape[1::-1]


def odd_exif(kind: int, tag: int, value: bytes) -> bytes:
    """EXIF of orientation 6 and one entry that Pillow cannot write again."""
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    entries += struct.pack("<HHI", tag, kind, 1) + value
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + entries + b"\0" * 16


@pytest.mark.parametrize(
    "exif",
    [
        odd_exif(11, 0x0128, struct.pack("<f", 2.5)),  # a resolution unit of 2.5
        odd_exif(5, 0x0131, struct.pack("<I", 38)),  # a program named by a fraction
        odd_exif(10, 0x011A, struct.pack("<I", 38)),  # a resolution below zero
        odd_exif(77, 0x0131, b"\xff\xff\xff\xff"),
    ],
)
def test_an_odd_tag_does_not_hide_the_pixels(tmp_path: Path, exif: bytes):
    path = tmp_path / "a.jpg"
    Image.fromarray(CORNERS).save(path, exif=exif, quality=95)
    assert read_image(path).shape == (24, 16, 3)


def test_metadata_of_nonsense_does_not_hide_the_pixels(tmp_path: Path):
    path = tmp_path / "a.jpg"
    Image.fromarray(CORNERS).save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read_image(path).shape == (16, 24, 3)


@pytest.mark.parametrize("big_endian", [False, True])
def test_grey_of_sixteen_bits_is_stretched_in_either_byte_order(tmp_path: Path, big_endian: bool):
    values = np.arange(96, dtype=np.uint16).reshape(8, 12) * 40 + 300
    path = tmp_path / "a.tif"
    Image.frombytes("I;16B", (12, 8), values.astype(">u2").tobytes()).save(path) if (
        big_endian
    ) else Image.fromarray(values).save(path)
    pixels = read_image(path)
    assert (pixels[0, 0, 0], pixels[-1, -1, 0]) == (0, 255)
    assert (np.diff(pixels[..., 0].ravel().astype(int)) >= 0).all()


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf, -3.4028235e38, -9999.0])
def test_floats_are_stretched_over_their_plausible_values(tmp_path: Path, hole: float):
    values = np.linspace(1.5, 2.5, 96, dtype=np.float32).reshape(8, 12)
    values[0, 0] = hole
    Image.fromarray(values).save(tmp_path / "a.tif")
    pixels = read_image(tmp_path / "a.tif")
    assert len(np.unique(pixels)) > 80
    assert pixels[0, 0, 0] == 0 and pixels[-1, -1, 0] == 255


def test_the_no_data_value_that_a_file_names_is_none(tmp_path: Path):
    values = np.linspace(1.5, 2.5, 96, dtype=np.float32).reshape(8, 12)
    values[0, 0] = 777
    Image.fromarray(values).save(tmp_path / "a.tif", tiffinfo={42113: "777"})
    assert len(np.unique(read_image(tmp_path / "a.tif"))) > 80


@pytest.mark.parametrize("values", [np.full((4, 4), np.nan), np.full((4, 4), 3.0)])
def test_floats_without_a_range_are_black(tmp_path: Path, values: np.ndarray):
    Image.fromarray(values.astype(np.float32)).save(tmp_path / "a.tif")
    assert not read_image(tmp_path / "a.tif").any()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_white(tmp_path: Path, mode: str):
    image = Image.new("RGBA", (6, 4), (0, 0, 0, 0))
    image.putpixel((0, 0), (0, 0, 0, 255))
    options = {}
    if mode == "P":
        image, options = image.convert("L").convert("P"), {"transparency": 0}
        image.putpixel((0, 0), 1)
    elif mode != "RGBA":
        image = image.convert("LA").convert(mode)
    image.save(tmp_path / "a.png", **options)
    pixels = read_image(tmp_path / "a.png")
    assert pixels[0, 0].max() < 2 and (pixels[1:] == 255).all()


def test_lab_is_converted(tmp_path: Path):
    Image.merge("LAB", [Image.new("L", (6, 4), v) for v in (255, 128, 128)]).save(
        tmp_path / "a.tif"
    )
    assert read_image(tmp_path / "a.tif").min() > 240


def test_large_jpegs_are_reduced_while_they_are_decoded(tmp_path: Path):
    Image.new("RGB", (4000, 500), "teal").save(tmp_path / "a.jpg")
    pixels = read_image(tmp_path / "a.jpg", long_side_px=640)
    assert pixels.shape == (80, 640, 3)
    np.testing.assert_allclose(pixels.mean((0, 1)), [0, 128, 128], atol=3)


@pytest.mark.parametrize("kind", ["ICO", "PPM", "TGA", "EPS", "PDF"])
def test_formats_beside_the_list_are_refused(tmp_path: Path, kind: str):
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png", kind)
    with pytest.raises(InputError, match="cannot identify it"):
        read_image(tmp_path / "a.png")


@pytest.mark.skipif("AVIF" not in FORMATS, reason="this Pillow has no AVIF")
def test_whatever_a_decoder_raises_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Image.new("RGB", (16, 16)).save(tmp_path / "a.avif")

    def fails(image: Image.Image) -> None:
        raise RuntimeError("Failed to decode frame 0.\nInvalid")

    monkeypatch.setattr("PIL.AvifImagePlugin.AvifImageFile.load", fails)
    with pytest.raises(InputError) as caught:
        read_image(tmp_path / "a.avif")
    assert "(Failed to decode frame 0, Invalid)" in str(caught.value).replace(". ", ", ")
    assert "\n" not in str(caught.value)


def det_item(image: Path, width: int, height: int) -> DetItem:
    return DetItem(image, 1, width, height, np.zeros((0, 4)), np.zeros(0), np.zeros(0, bool))


def test_labels_are_of_the_upright_image_and_others_are_told_why(tmp_path: Path):
    path = with_orientation(tmp_path / "a.jpg", 6)
    assert read_det(det_item(path, 16, 24)).shape == (24, 16, 3)
    with pytest.raises(InputError, match=r"16 x 24 pixels once upright .*EXIF orientation 6"):
        read_det(det_item(path, 24, 16))
    with pytest.raises(InputError, match="16 x 24 pixels, expected 5 x 5"):
        read_det(det_item(path, 5, 5))


def test_masks_are_of_the_upright_image_and_others_are_told_why(tmp_path: Path):
    item = SegItem(with_orientation(tmp_path / "a.jpg", 6), tmp_path / "a.png")
    Image.new("L", (16, 24)).save(item.mask)
    image, mask = read_seg(item, 2)
    assert image.shape[:2] == mask.shape == (24, 16)
    Image.new("L", (24, 16)).save(item.mask)
    with pytest.raises(InputError, match=r"24 x 16 pixels.*once upright .*EXIF orientation 6"):
        read_seg(item, 2)


class Unreadable(Dataset):
    """A data set of one missing image."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> np.ndarray:
        return read_image(Path("missing.jpg"))


def test_a_worker_process_hands_on_the_sentence_alone():
    with pytest.raises(InputError) as caught:
        list(DataLoader(Unreadable(), num_workers=1))
    assert str(caught.value) == "missing.jpg is missing, expected a whole image."
