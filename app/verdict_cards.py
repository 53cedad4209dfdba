"""Each task's fate in a card: score after its own lesson, score at the end, and the verdict."""

from __future__ import annotations

from html import escape

from app.change_words import percent
from app.language import Words
from app.palette import TASK_COLORS
from app.records import Drop


def verdict_cards(drops: list[Drop], words: Words) -> str:
    """HTML for a row of cards, one per task.

    Args:
        drops: as ``records.drops`` makes.
        words: the visitor's language.
    """
    if not drops:
        return f"<p class='oh-quiet'>{escape(words('forgetting.empty'))}</p>"
    cards = "".join(_card(drop, words) for drop in drops)
    return (
        f"<div class='oh-cards'>{cards}</div>"
        f"<p class='oh-quiet oh-small'>{escape(words('verdict.caution'))}</p>"
    )


def _card(drop: Drop, words: Words) -> str:
    if drop.final_stage == drop.base_stage:
        verdict, kind, large = words("verdict.last"), "none", f"{drop.final:.3f}"
        told = drop.metric
    else:
        kind = "pass" if drop.within_gate else "fail"
        verdict = words("verdict.gain") if drop.drop_rel < 0 else words(f"verdict.{kind}")
        large = percent(drop.retention)
        told = f"{drop.metric} {drop.base:.3f} → {drop.final:.3f}"
    if drop.n:
        told += " · " + words("verdict.n", n=drop.n)
    mark = {"pass": "✓ ", "fail": "✗ ", "none": ""}[kind]
    return (
        f"<article class='oh-card' style='--c:{TASK_COLORS[drop.task]}'>"
        f"<h4>{escape(words.task(drop.task))}</h4>"
        f"<p class='oh-large'>{escape(large)}</p>"
        f"<p class='oh-verdict oh-{kind}'>{mark}{escape(verdict)}</p>"
        f"<p class='oh-quiet oh-small'>{escape(told)}</p></article>"
    )
