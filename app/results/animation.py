"""Frames that the browser has drawn, as one animated file."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Sequence

from PIL import Image

from app.language import Refusal

MOST_FRAMES, MOST_PX, MOST_BYTES = 12, 1280, 3 * 2**20
FRAME_MS = 2500
_HEAD = "data:image/jpeg;base64,"


def animated_gif(frames: Sequence[str]) -> bytes:
    """The frames one after another, over and over, as slide programs take them.

    Args:
        frames: JPEG data addresses of one size, at most 1280 pixels a side.

    Raises:
        Refusal: there are none, too many, too large ones, or what is no such image.
    """
    if len(frames) > MOST_FRAMES:
        raise Refusal("save.many_frames", count=len(frames), most=MOST_FRAMES)
    if not frames:
        raise Refusal("save.no_frames")
    first, *others = map(_frame, frames)
    if any(other.size != first.size for other in others):
        raise Refusal("save.no_frames")
    buffer = io.BytesIO()
    timing = {"duration": FRAME_MS, "loop": 0}
    first.save(buffer, "GIF", save_all=True, append_images=others, **timing)
    return buffer.getvalue()


def _frame(address: str) -> Image.Image:
    if not address.startswith(_HEAD) or len(address) > MOST_BYTES:
        raise Refusal("save.no_frames")
    try:
        content = base64.b64decode(address[len(_HEAD) :], validate=True)
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
            if max(image.size) > MOST_PX:
                raise Refusal("save.no_frames")
            return image.convert("RGB").quantize()
    except (binascii.Error, OSError) as error:
        raise Refusal("save.no_frames") from error
