"""Images with changed bytes end as pixels or in one sentence; ``tests.fuzz_images`` is longer."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mtl_core.data.image_io import read_image
from mtl_core.types import InputError
from tests.fuzz_images import mutated, outcome, seeds

SEEDS = seeds()


@pytest.mark.parametrize("name", SEEDS)
def test_whole_files_are_read(tmp_path: Path, name: str):
    (tmp_path / "a").write_bytes(SEEDS[name])
    assert outcome(tmp_path / "a") == "read"


@given(name=st.sampled_from(list(SEEDS)), seed=st.integers(0, 2**32))
@settings(max_examples=120, deadline=None, suppress_health_check=[*HealthCheck])
def test_changed_files_end_as_pixels_or_in_a_sentence(tmp_path: Path, name: str, seed: int):
    (tmp_path / "a").write_bytes(mutated(SEEDS[name], random.Random(seed)))
    assert outcome(tmp_path / "a") in ("read", "refused")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF"])
def test_a_size_that_no_memory_holds_is_refused_from_the_header(tmp_path: Path, kind: str):
    path = tmp_path / "a"
    Image.new("L", (8, 8)).save(path, kind)
    content = bytearray(path.read_bytes())
    place, size = {
        "PNG": (16, b"\0\0\xff\xff" * 2),
        "BMP": (18, b"\xff\xff\0\0" * 2),
        "GIF": (6, b"\xff" * 4),
    }[kind]
    content[place : place + len(size)] = size
    path.write_bytes(content)
    with pytest.raises(InputError, match="expected"):
        read_image(path)
