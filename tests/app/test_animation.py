"""Frames from the browser as one file, and what is none."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from app.language import Refusal
from app.results.animation import FRAME_MS, MOST_FRAMES, MOST_PX, animated_gif
from app.results.downloads import saved_animation


def sent(grey: int, size: tuple[int, int] = (60, 40), kind: str = "JPEG") -> str:
    buffer = io.BytesIO()
    Image.new("RGB", size, (grey,) * 3).save(buffer, kind)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def test_frames_follow_each_other_over_and_over():
    film = Image.open(io.BytesIO(animated_gif([sent(grey) for grey in (20, 120, 220)])))
    assert (film.format, film.n_frames, film.info["loop"]) == ("GIF", 3, 0)
    for number, grey in enumerate((20, 120, 220)):
        film.seek(number)
        film.load()
        assert film.info["duration"] == FRAME_MS
        assert abs(np.asarray(film.convert("RGB")).mean() - grey) < 4
    file = saved_animation([sent(20), sent(90)], "astronaut-keeps")
    assert file["name"] == "astronaut-keeps-stages.gif"
    assert file["href"].startswith("data:image/gif;base64,")


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [sent(1, (MOST_PX + 1, 10))],
        [sent(1), sent(1, (40, 60))],
        [sent(1, kind="PNG")],
        ["data:image/jpeg;base64,????"],
        ["data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8\xff").decode()],
        ["/etc/passwd"],
    ],
    ids=["none", "large", "unlike", "png", "no base64", "cut", "a path"],
)
def test_what_no_browser_draws_is_refused(frames):
    with pytest.raises(Refusal, match="did not arrive whole"):
        animated_gif(frames)


def test_more_stages_than_an_animation_holds_are_refused_as_that():
    with pytest.raises(Refusal, match="at most 12 pictures, and here are 13"):
        animated_gif([sent(1)] * (MOST_FRAMES + 1))
