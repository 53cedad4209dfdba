"""What a network reaches in what time, as ``training.accuracy_and_time`` wrote it."""

from __future__ import annotations

from typing import Any

import pandas as pd

COLUMNS = ["precision", "input_px", "ms", "metric", "value"]


def accuracy_rows(content: dict[str, Any] | None) -> pd.DataFrame:
    """One row per precision, input size and metric; what is not a measurement is left out.

    Columns: precision, input_px, ms (median of a pass), metric, value (a fraction).
    """
    rows = []
    for row in (content or {}).get("rows") or []:
        scores = row.get("scores") if isinstance(row, dict) else None
        for metric, value in scores.items() if isinstance(scores, dict) else ():
            numbers = (row.get("input_px"), row.get("p50_ms"), value)
            if all(isinstance(number, (int, float)) for number in numbers):
                rows.append((str(row.get("precision")), *numbers[:2], str(metric), numbers[2]))
    return pd.DataFrame(rows, columns=COLUMNS)
