import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

import app.services.image_reading as reading
from app.services.image_reading import LONG_SIDE_PX, read_upload
from app.services.viewed_image import ViewedImage
from mtl_core.data.image_io import bounded, read_frame
from mtl_core.types import InputError


def saved(tmp_path, image, kind="PNG", **options):
    path = tmp_path / f"image.{kind.lower()}"
    image.save(path, kind, **options)
    return path


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA", "CMYK", "1", "I;16"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    if mode == "I;16":
        image = Image.fromarray(np.arange(400, dtype=np.uint16).reshape(20, 20) * 100)
    else:
        image = Image.new("RGB", (20, 20), (200, 40, 40)).convert(mode)
    kind = "TIFF" if mode in ("CMYK", "I;16") else "PNG"
    pixels, _ = read_upload(saved(tmp_path, image, kind))
    assert pixels.shape == (20, 20, 3)
    assert pixels.dtype == np.uint8


def test_transparency_is_laid_on_white(tmp_path):
    clear = Image.new("RGBA", (10, 10), (255, 0, 0, 0))
    assert (read_upload(saved(tmp_path, clear))[0] == 255).all()


def test_exif_orientation_is_respected(tmp_path):
    image = Image.new("RGB", (40, 20), "white")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    pixels, sent_hw = read_upload(saved(tmp_path, image, "JPEG", exif=exif))
    assert pixels.shape == (40, 20, 3) and sent_hw == (40, 20)


def test_a_large_image_is_reduced(tmp_path):
    pixels, sent_hw = read_upload(saved(tmp_path, Image.new("RGB", (4000, 1000)), "JPEG"))
    assert pixels.shape[:2] == (LONG_SIDE_PX // 4, LONG_SIDE_PX)
    assert sent_hw == (1000, 4000)


def test_the_header_of_a_visitors_image_is_read_once(tmp_path, monkeypatch):
    frames = []
    monkeypatch.setattr(reading, "read_frame", lambda path: frames.append(path) or read_frame(path))
    path = saved(tmp_path, Image.new("RGB", (3000, 1500)))
    viewed = ViewedImage.read(path)
    assert (viewed.sent_hw, viewed.image.shape) == ((1500, 3000), (640, LONG_SIDE_PX, 3))
    assert frames == [path]


def test_a_camera_image_of_many_megapixels_is_read(tmp_path):
    image = Image.new("L", (10_000, 9_990), 128)
    pixels, _ = read_upload(saved(tmp_path, image, "JPEG", quality=50))
    assert pixels.shape == (1279, LONG_SIDE_PX, 3)


def test_what_cannot_be_reduced_while_it_is_decoded_is_refused_sooner(tmp_path):
    image = Image.new("L", (7000, 6000), 128)
    for kind, options in (("JPEG", {"progressive": True}), ("PNG", {})):
        with pytest.raises(InputError, match="at most 40 million"):
            read_upload(saved(tmp_path, image, kind, **options))


def test_an_extreme_shape_keeps_at_least_a_pixel():
    assert bounded(np.zeros((2, 9000, 3), np.uint8), LONG_SIDE_PX).shape[0] >= 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not an image at all",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"\xff\xd8\xff\xe0" + b"\0" * 100,
    ],
)
def test_what_is_no_image_ends_in_one_sentence(tmp_path, content):
    path = tmp_path / "upload.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"could not be read as an image.* or AVIF") as caught:
        read_upload(path)
    assert str(tmp_path) not in str(caught.value)


def test_a_truncated_image_ends_in_one_sentence(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    whole = io.BytesIO()
    Image.fromarray(noise).save(whole, "JPEG")
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    with pytest.raises(InputError, match="could not be read"):
        read_upload(path)


@pytest.mark.parametrize("side", [7000, 20000, 60000])
def test_a_decompression_bomb_is_refused_before_it_unpacks(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(side, side))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError):
            read_upload(path)


def test_too_many_bytes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="expected at most"):
        read_upload(saved(tmp_path, Image.effect_noise((64, 64), 90)))


def test_too_small_an_image_is_refused(tmp_path):
    with pytest.raises(InputError, match="at least 8"):
        read_upload(saved(tmp_path, Image.new("RGB", (3, 100))))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match="did not arrive"):
        read_upload(tmp_path / "gone.png")
