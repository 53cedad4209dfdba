"""Maps of images on disk, so that several runs compute them once.

The runs of a study share a backbone that rests and, with equal seeds, the random views of their
images. What the backbone makes of a view is a third of a training step and the same in all of them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zlib
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

SPARE_BYTES = 4 * 2**30  # of free disk that is left alone; beyond it nothing more is kept


class FeatureStore:
    """A folder of maps by the content of their image; several processes may share it.

    Args:
        folder: of one graph's maps; it need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, image: np.ndarray) -> Path:
        """Where an image's maps lie, or will."""
        name = hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16)
        height, width = image.shape[-2:]
        return self.folder / f"{name.hexdigest()}-{height}x{width}.safetensors"

    def get(self, image: np.ndarray) -> list[np.ndarray] | None:
        """An image's maps as they were put there, or None."""
        try:
            with safe_open(self.file(image), "np") as file:
                maps = [file.get_tensor(f"map{i}") for i in range(len(file.keys()))]
                whole = (file.metadata() or {}).get("crc32") == _checksum(maps)
        except (FileNotFoundError, SafetensorError):
            return None
        return maps if whole else None

    def put(self, image: np.ndarray, maps: list[np.ndarray]) -> None:
        """Keep an image's maps, if the disk has room; no reader ever sees half of them.

        Where they cannot be written, for one because another process has removed the folder, they
        are computed again the next time.
        """
        path = self.file(image)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self.folder).free < SPARE_BYTES:
                return
            named = {f"map{i}": np.ascontiguousarray(m) for i, m in enumerate(maps)}
            save_file(named, part, {"crc32": _checksum(maps)})
            os.replace(part, path)
        except (OSError, SafetensorError):
            return


def _checksum(maps: list[np.ndarray]) -> str:
    found = 0
    for values in maps:
        found = zlib.crc32(np.ascontiguousarray(values).data.cast("B"), found)
    return str(found)
