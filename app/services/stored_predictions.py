"""What runs kept of their answers on validation images; the last few files stay in memory."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

from mtl_core.runs.predictions import read_predictions
from mtl_core.runs.run_directory import Run
from mtl_core.types import Prediction

KEPT_FILES = 4  # some 30 MB each once unpacked


def are_stored(run: Run, rows: list[dict[str, Any]]) -> bool:
    """Whether the answers behind these rows of one task and two stages were kept."""
    return all(
        (run.path / "predictions" / f"stage{row[end]}_{row['task']}.npz").is_file()
        for row in rows[:1]
        for end in ("before", "after")
    )


class StoredPredictions:
    """Reads a run's prediction files. Safe to use from several threads."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._read = lru_cache(maxsize=KEPT_FILES)(_read)

    def of(self, run: Run, stage: int, task: str) -> dict[str, Prediction]:
        """What a run kept of a stage: ``prediction_key`` -> the task's part of its prediction.

        Raises:
            InputError: the file is missing or damaged.
        """
        with self._reading:  # several visitors may ask at once
            return self._read(run, stage, task)


def _read(run: Run, stage: int, task: str) -> dict[str, Prediction]:
    return read_predictions(run.path / "predictions", stage, task, run.class_names)
