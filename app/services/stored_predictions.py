"""What runs kept of their answers on validation images; the last few files stay in memory."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from mtl_core.runs.predictions import read_predictions
from mtl_core.runs.run_directory import Run
from mtl_core.types import Prediction

KEPT_FILES = 4  # some 30 MB each once unpacked


class StoredPredictions:
    """Reads a run's prediction files. Safe to use from several threads."""

    def __init__(self) -> None:
        self._stored: dict[tuple[Path, int, str], dict[str, Prediction]] = {}
        self._reading = threading.Lock()

    def has(self, run: Run, rows: list[dict[str, Any]]) -> bool:
        """Whether the answers behind these rows of one task and two stages were kept."""
        return all(
            (run.path / "predictions" / f"stage{row[end]}_{row['task']}.npz").is_file()
            for row in rows[:1]
            for end in ("before", "after")
        )

    def of(self, run: Run, stage: int, task: str) -> dict[str, Prediction]:
        """What a run kept of a stage: ``prediction_key`` -> the task's part of its prediction.

        Raises:
            InputError: the file is missing or damaged.
        """
        key = run.path, stage, task
        with self._reading:  # several visitors may ask at once
            if key not in self._stored:
                while len(self._stored) >= KEPT_FILES:
                    self._stored.pop(next(iter(self._stored)))
                folder = run.path / "predictions"
                self._stored[key] = read_predictions(folder, stage, task, run.class_names)
            return self._stored[key]
