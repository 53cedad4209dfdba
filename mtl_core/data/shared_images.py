"""Whether two splits share an image, or hold near-identical ones.

Equal images are found by a hash of their pixels, near ones by a small perceptual hash whose parts
are looked up in tables: the effort grows with the number of images, not with that of the pairs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mtl_core.data.splits import Split

# Two images count as near when their grey thumbnails agree this well. On resized and re-encoded
# copies of 150 photographs the difference was at most 24 grey levels at the 99th percentile and
# 4.4 in the mean; between different photographs at least 83 and 16.
_THUMBNAIL_PX = 32
_MAX_DIFFERENCE_P99 = 40
_MAX_DIFFERENCE_MEAN = 6
# Images of which no part of the hash agrees are not compared. Of its 64 bits, copies of photographs
# at half the size or quality 60 differ in 3 or fewer mostly (95 %), different ones in 31.
_PART_BITS = (11, 11, 11, 11, 10, 10)
_MAX_ALIKE = 1000  # images looked up by one part of the hash; more share it only if it says little
_MAX_CANDIDATES = 64  # thumbnails compared an image, most similar hashes first


@dataclass(frozen=True)
class Appearance:
    """What an image is recognised by.

    Attributes:
        digest: of its size and pixels.
        thumbnail: 32 x 32 uint8 grey levels.
        bits: 64 bits that hardly change with size, quality and brightness.
    """

    digest: bytes
    thumbnail: np.ndarray
    bits: int


def appearance(pixels: np.ndarray) -> Appearance:
    """The appearance of an image, H x W x 3 uint8."""
    digest = hashlib.sha1(repr(pixels.shape).encode(), usedforsecurity=False)
    digest.update(np.ascontiguousarray(pixels))
    grey = Image.fromarray(pixels).convert("L")
    thumbnail = grey.resize((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.BOX)
    # Whether it grows lighter from left to right, in 8 x 9 fields.
    fields = np.asarray(thumbnail.resize((9, 8), Image.Resampling.BOX), np.int16)
    bits = np.packbits(fields[:, 1:] > fields[:, :-1]).tobytes()
    return Appearance(digest.digest(), np.asarray(thumbnail), int.from_bytes(bits, "big"))


def in_threads(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterable[Any]:
    """``map`` over the cores that this process may use; decoders release the interpreter."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with ThreadPoolExecutor(cores or 1) as pool:
        yield from pool.map(work, items)


def shared(
    a: Sequence[Appearance | None], b: Sequence[Appearance | None]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Pairs of places in ``a`` and ``b`` of equal images, and of near ones; one for each of ``b``.

    Near are renamed copies that were saved again: in another format, quality or size, squashed,
    or in grey; and frames that differ only in details. Crops, mirrored or turned copies, and other
    photographs of the same scene are not found.
    """
    equal, near = [], []
    by_digest = {known.digest: i for i, known in enumerate(a) if known}
    tables = _tables(a)
    all_bits = np.array([known.bits if known else 0 for known in a], np.uint64)
    for j, other in enumerate(b):
        if other is None:
            continue
        if other.digest in by_digest:
            equal.append((by_digest[other.digest], j))
            continue
        parts = zip(tables, _parts(other.bits), strict=True)
        candidates = np.unique([*chain.from_iterable(t.get(part, ()) for t, part in parts)])
        if not len(candidates):
            continue
        candidates = candidates.astype(np.int64)
        apart = np.bitwise_count(all_bits[candidates] ^ np.uint64(other.bits))
        for i in candidates[np.argsort(apart, kind="stable")[:_MAX_CANDIDATES]]:
            known = a[i]
            if known and _near(known.thumbnail, other.thumbnail):
                near.append((int(i), j))
                break
    return equal, near


def shared_sentences(
    a: Split, b: Split, of_a: Sequence[Appearance | None], of_b: Sequence[Appearance | None]
) -> tuple[list[str], list[str]]:
    """One sentence for each image that stands in both splits, and at most one on the near ones."""
    equal, near = shared(of_a, of_b)
    same = [
        f"{_placed(a, i)} and {_placed(b, j)} are the same image, expected splits that share none."
        for i, j in equal
    ]
    if not near:
        return same, []
    i, j = near[0]
    return same, [
        f'{len(near)} of the {len(b)} images of split "{b.name}" are nearly the same as one of '
        f'split "{a.name}", such as {_placed(b, j)} and {_placed(a, i)}: scores on them '
        "tell little about new images."
    ]


def _placed(split: Split, index: int) -> str:
    image: Path = split.items[index].image
    return f'{image} (split "{split.name}")'


def _parts(bits: int) -> list[int]:
    parts = []
    for width in _PART_BITS:
        parts.append(bits & (1 << width) - 1)
        bits >>= width
    return parts


def _tables(known: Sequence[Appearance | None]) -> list[dict[int, list[int]]]:
    tables: list[dict[int, list[int]]] = [{} for _ in _PART_BITS]
    for index, one in enumerate(known):
        if one:
            for table, part in zip(tables, _parts(one.bits), strict=True):
                alike = table.setdefault(part, [])
                if len(alike) < _MAX_ALIKE:
                    alike.append(index)
    return tables


def _near(a: np.ndarray, b: np.ndarray) -> bool:
    difference = np.abs(a.astype(np.int16) - b)
    return bool(
        difference.mean() <= _MAX_DIFFERENCE_MEAN
        and np.percentile(difference, 99) <= _MAX_DIFFERENCE_P99
    )
