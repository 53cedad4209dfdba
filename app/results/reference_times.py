"""Times that were measured before and travel with a run, as ``training.benchmark`` wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import pandas as pd

from app.language import Words


def reference_ratios(latency: dict[str, Any] | None) -> pd.DataFrame:
    """All ratios of a benchmark; what is not one is left out.

    Returns:
        One row each: section, name ("a / b"), value, low, high (its 95 % interval).
    """
    rows = []
    for section, name, ratio in _entries(latency, "ratios"):
        found = [ratio.get(key) for key in ("value", "low", "high")]
        values = [float(v) for v in found if isinstance(v, (int, float)) and v > 0]
        if len(values) == len(found):
            rows.append((section, name, *values))
    return pd.DataFrame(rows, columns=["section", "name", "value", "low", "high"])


def reference_html(
    latency: dict[str, Any] | None, words: Words, of_other: str | None = None
) -> str:
    """Where the times were taken and, folded away, all of them; or that there are none.

    Args:
        latency: what ``training.benchmark`` wrote.
        words: the visitor's language.
        of_other: the run that was measured, where it is another one than that being looked at.
    """
    if not latency:
        return f"<p class='oh-quiet'>{escape(words('latency.shipped_none'))}</p>"
    rows = "".join(
        f"<tr><td>{escape(section)}</td><th scope='row'>{escape(name)}</th>"
        + "".join(_number(times.get(key)) for key in ("p50_ms", "p95_ms"))
        + "</tr>"
        for section, name, times in _entries(latency, "times")
    )
    head = "".join(
        f"<th scope='col'{kind}>{escape(text)}</th>"
        for text, kind in (
            (words("latency.section"), ""),
            (words("latency.case"), ""),
            ("p50 (ms)", " class='oh-number'"),
            ("p95 (ms)", " class='oh-number'"),
        )
    )
    table = (
        f"<details><summary>{escape(words('latency.all_times'))}</summary>"
        f"<table class='oh-table'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        "</details>"
    )
    said = [words("latency.of_other", run=of_other)] if of_other else []
    said.append(_taken_on(latency, words))
    return f"<p class='oh-quiet'>{escape(' '.join(said))}</p>" + (table if rows else "")


def _entries(
    latency: dict[str, Any] | None, kind: str
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for section, content in (latency or {}).items():
        entries = content.get(kind) if isinstance(content, dict) else None
        for name, values in entries.items() if isinstance(entries, dict) else ():
            if isinstance(values, dict):
                yield str(section), str(name), values


def _number(value: Any) -> str:
    text = f"{value:.1f}" if isinstance(value, (int, float)) else "–"
    return f"<td class='oh-number'>{text}</td>"


def _taken_on(latency: dict[str, Any], words: Words) -> str:
    """The machine and the settings in a sentence."""
    known = {
        key: value
        for section in ("machine", "settings")
        if isinstance(part := latency.get(section), dict)
        for key, value in part.items()
    }
    versions = known.get("versions")
    runtime = versions.get("onnxruntime", "?") if isinstance(versions, dict) else "?"
    named = {key: known.get(key, "?") for key in ("processor", "cores", "threads", "side_px")}
    return words("latency.taken_on", runtime=runtime, **named)
