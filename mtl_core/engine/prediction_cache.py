"""Predictions already made, kept within a bound of memory."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

import numpy as np

from mtl_core.types import Prediction

Key = tuple[str, str]  # of the image (and what was asked of it), of the checkpoint
OVERHEAD_BYTES = 2_000  # of a prediction's objects beside its arrays


def image_sha256(image: np.ndarray) -> str:
    """Of an image's shape, type and pixels."""
    digest = hashlib.sha256(f"{image.shape} {image.dtype}".encode())
    digest.update(np.ascontiguousarray(image))
    return digest.hexdigest()


def size_bytes(prediction: Prediction) -> int:
    """Memory that a prediction holds."""
    arrays = [prediction.mask, prediction.probabilities]
    if prediction.boxes is not None:
        arrays += [prediction.boxes.xyxy, prediction.boxes.scores, prediction.boxes.labels]
    return OVERHEAD_BYTES + sum(a.nbytes for a in arrays if a is not None)


class PredictionCache:
    """Least recently used goes first; safe to use from several threads.

    Args:
        limit_bytes: of all predictions together; 0 keeps none.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes, self.held_bytes = limit_bytes, 0
        self._held: OrderedDict[Key, Prediction] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: Key) -> Prediction | None:
        """A prediction that is there, used last from now on."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: Key, prediction: Prediction) -> None:
        """Keep a prediction, unless it alone is beyond the bound. Its arrays become read-only."""
        size = size_bytes(prediction)
        if size > self.limit_bytes:
            return
        arrays = [prediction.mask, prediction.probabilities]
        if prediction.boxes is not None:
            arrays += [prediction.boxes.xyxy, prediction.boxes.scores, prediction.boxes.labels]
        for array in arrays:
            if array is not None:
                array.flags.writeable = False  # whoever draws on it would draw for all
        with self._lock:
            if key in self._held:
                self.held_bytes -= size_bytes(self._held.pop(key))
            self._held[key] = prediction
            self.held_bytes += size
            while self.held_bytes > self.limit_bytes:
                _, oldest = self._held.popitem(last=False)
                self.held_bytes -= size_bytes(oldest)
