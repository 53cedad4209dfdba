"""Boxes of masks that COCO files store as run lengths.

Format: https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c. That code's own
decoder frees memory that is not its own when it is given counts that fit no mask; here these end
in an error.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def box_of_runs(counts: Any, height: int, width: int) -> list[float]:
    """The box (left, top, width, height) in pixels around a mask of run lengths.

    Args:
        counts: lengths of background and mask in turn, column by column, as a list or COCO's text.
        height: of the mask.
        width: of the mask.

    Raises:
        ValueError: the counts make no mask of this size, or an empty one.
    """
    runs = _unpacked(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs):
        raise ValueError("run lengths are whole numbers from 0")
    if sum(runs) != height * width:
        raise ValueError(f"run lengths make {sum(runs)} pixels, not {height * width}")
    ends = np.cumsum(runs)
    first, last = ends[:-1:2], ends[1::2] - 1  # of each run of mask
    held = first <= last
    first, last = first[held], last[held]
    if not len(first):
        raise ValueError("the mask is empty")
    left, right = first.min() // height, last.max() // height
    tall = (first // height < last // height).any()  # a run that goes on in the next column
    top, bottom = (0, height - 1) if tall else ((first % height).min(), (last % height).max())
    return [float(v) for v in (left, top, right - left + 1, bottom - top + 1)]


def _unpacked(text: str) -> list[int]:
    """Runs of COCO's text: 5 bits a character, lowest first; differences from the third run on."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 50:
            raise ValueError("the text is no run lengths")
        value |= (code & 31) << shift
        shift += 5
        if not code & 32:
            if code & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs
