"""A mask of the original image from class logits at a lower resolution, in NumPy.

Bilinear interpolation of all classes at full size, then argmax, is what this equals; on a photo
that would read and write a hundred megabytes. But between four neighbouring cells that agree, every
interpolated value has the same winner, so only the quads at the edges between classes are
interpolated, and in them only the classes that can win.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mtl_core.data.letterbox import Placement

CHUNK_VALUES = 2_000_000  # interpolated at once: 8 MB


@dataclass(frozen=True)
class Axis:
    """How the original's pixels lie between the map's cells along one axis.

    Attributes:
        cell: per pixel the cell before it.
        share: per pixel how far it is towards the next cell, 0 to 1.
        first: per cell the first pixel that lies after it.
        count: per cell the number of pixels that lie between it and the next one.
    """

    cell: np.ndarray
    share: np.ndarray
    first: np.ndarray
    count: np.ndarray

    @staticmethod
    def of(pixels: int, content_cells: float, cells: int) -> Axis:
        """Pixel i lies at (i + 0.5) / pixels of the content; cell centres are at + 0.5."""
        at = (np.arange(pixels) + 0.5) * (content_cells / pixels) - 0.5
        at = at.clip(0, cells - 1)
        cell = at.astype(np.intp)
        first = np.searchsorted(cell, np.arange(cells + 1))
        return Axis(cell, (at - cell).astype(np.float32), first[:-1], np.diff(first))

    def pixels_of(self, cells: np.ndarray) -> np.ndarray:
        """Per cell its pixels; where there are fewer than elsewhere the last one is repeated."""
        offsets = np.arange(self.count[cells].max())
        last = self.count[cells, None] - 1
        return np.asarray(self.first[cells, None] + np.minimum(offsets, last))


def winners(logits: np.ndarray) -> np.ndarray:
    """C x ... -> the index of the largest, uint8; the first one where several are equal."""
    best, index = logits[0].copy(), np.zeros(logits.shape[1:], np.uint8)
    for c in range(1, len(logits)):  # many times faster than argmax over the first axis
        index[logits[c] > best] = c
        np.maximum(best, logits[c], out=best)
    return index


def mask_of(logits: np.ndarray, box: Placement) -> np.ndarray:
    """C x h x w float32 class logits over the input, at any stride -> size_hw uint8 indices."""
    _, h, w = logits.shape
    rows = Axis.of(box.size_hw[0], box.content_hw[0] * h / box.input_hw[0], h)
    columns = Axis.of(box.size_hw[1], box.content_hw[1] * w / box.input_hw[1], w)
    top = winners(logits)
    mask = np.repeat(np.repeat(top, columns.count, 1), rows.count, 0)
    below, right = np.minimum(np.arange(h) + 1, h - 1), np.minimum(np.arange(w) + 1, w - 1)
    down, across = top[below], top[:, right]
    edge = (top != down) | (top != across) | (top != down[:, right])
    edge &= (rows.count > 0)[:, None] & (columns.count > 0)
    y, x = edge.nonzero()
    corners = np.stack(
        [logits[:, j, i] for j in (y, below[y]) for i in (x, right[x])]
    )  # 4 x C x quads
    for quads, classes in _contests(corners, rows, columns, y, x):
        ys, xs = rows.pixels_of(y[quads]), columns.pixels_of(x[quads])
        values = corners[:, classes.T, quads]  # 4 x candidates x quads
        fy, fx = rows.share[ys], columns.share[xs]
        left = values[0, ..., None] + (values[2] - values[0])[..., None] * fy
        step = values[1, ..., None] + (values[3] - values[1])[..., None] * fy - left
        found = winners(left[..., None] + step[..., None] * fx[:, None, :])
        chosen = classes[np.arange(len(quads))[:, None, None], found]
        mask[ys[:, :, None], xs[:, None, :]] = chosen
    return mask


def _contests(
    corners: np.ndarray, rows: Axis, columns: Axis, y: np.ndarray, x: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Quads in groups of equally many candidates: their indices Q, and classes Q x candidates.

    A class whose best corner is below another's worst one cannot win anywhere between.
    """
    possible = corners.max(0) >= corners.min(0).max(0)  # C x quads
    counts = possible.sum(0)
    for count in np.unique(counts):
        quads = np.flatnonzero(counts == count)
        classes = possible[:, quads].T.nonzero()[1].reshape(-1, count)
        size = int(count * rows.count[y[quads]].max() * columns.count[x[quads]].max())
        step = max(1, CHUNK_VALUES // size)
        for start in range(0, len(quads), step):
            yield quads[start : start + step], classes[start : start + step]
