"""How long a pass takes on this machine, measured now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from app.figures.latency_parts import BUDGET_MS, TOTAL, part_name
from app.language import Words
from app.results.overlay import overlay
from app.services.engines import Engine, EngineShelf

WARM_UP = 3
MAX_PASSES = 200


@dataclass(frozen=True)
class Measurement:
    """Milliseconds per pass and part, and how many other passes ran meanwhile."""

    times: pd.DataFrame
    disturbed_by: int

    def percentiles(self) -> pd.DataFrame:
        """p50, p95 and p99 of every part in milliseconds, the whole pass last."""
        columns = {f"p{q}": self.times.quantile(q / 100) for q in (50, 95, 99)}
        return pd.DataFrame(columns)


def measure_passes(
    engine: Engine, shelf: EngineShelf, image: np.ndarray, passes: int
) -> Iterator[tuple[int, Measurement | None]]:
    """Time passes after a warm-up; yields how many are done, and at last the measurement.

    Other visitors' images go first: each pass waits for its turn like any other.

    Args:
        engine: the network to measure.
        shelf: whose turn-taking and count of passes to respect.
        image: H x W x 3 uint8 RGB, already decoded.
        passes: 1 to 200.
    """
    passes = max(1, min(int(passes), MAX_PASSES))
    for _ in range(WARM_UP):
        shelf.timed(engine, image)
    before, rows = shelf.passes, []
    for number in range(1, passes + 1):
        prediction, total_ms = shelf.timed(engine, image)
        start = time.perf_counter()
        overlay(image, prediction)
        draw_ms = (time.perf_counter() - start) * 1000
        rows.append({**prediction.timings_ms, "draw": draw_ms, TOTAL: total_ms + draw_ms})
        if number < passes:
            yield number, None
    yield passes, Measurement(pd.DataFrame(rows), shelf.passes - before - passes)


def summary_html(
    measurement: Measurement, run: str, engine: str, machine: str, words: Words
) -> str:
    """The measurement of a run's last stage in a sentence and a table."""
    table = measurement.percentiles()
    total = {key: f"{value:.0f}" for key, value in table.loc[TOTAL].items()}
    passes = len(measurement.times)
    sentence = words("latency.summary", run=run, engine=engine, machine=machine, n=passes, **total)
    verdict = "within" if table.loc[TOTAL, "p95"] <= BUDGET_MS else "beyond"
    sentence += " " + words(f"latency.{verdict}", budget=f"{BUDGET_MS:.0f}")
    if measurement.disturbed_by > 0:
        sentence += " " + words("latency.disturbed", count=measurement.disturbed_by)
    rows = "".join(
        f"<tr><th scope='row'>{escape(part_name(str(part), words))}</th>"
        + "".join(f"<td class='oh-number'>{value:.1f}</td>" for value in values)
        + "</tr>"
        for part, values in zip(table.index, table.to_numpy(), strict=True)
    )
    head = "".join(f"<th scope='col' class='oh-number'>{c} (ms)</th>" for c in table.columns)
    return (
        f"<p>{escape(sentence)}</p><table class='oh-table'><thead><tr>"
        f"<th scope='col'>{escape(words('latency.part'))}</th>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def parameter_counts(manifest: dict[str, Any]) -> pd.Series:
    """Parameters per part as the manifest counts them, the sum left out; empty where unknown."""
    counts = manifest.get("parameters") or {}
    if not isinstance(counts, dict):
        return pd.Series(dtype=float)
    parts = {k: float(v) for k, v in counts.items() if k != "total" and isinstance(v, (int, float))}
    return pd.Series(parts, dtype=float)
