"""Each task's fate in a card: score after its own lesson, score at the end, and the verdict."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from app.change_words import percent
from app.language import Words
from app.palette import TASK_COLORS
from app.records import Drop, together


def verdict_cards(drops: list[Drop], judged: dict[str, dict[str, Any]], words: Words) -> str:
    """HTML for a row of cards, one per task.

    Args:
        drops: as ``records.drops`` makes.
        judged: per task the verdict and the drop's interval, as ``Run.verdicts`` gives them; a task
            that is not there is shown by its drop alone.
        words: the visitor's language.
    """
    if not drops:
        return f"<p class='oh-quiet'>{escape(words('forgetting.empty'))}</p>"
    last = "verdict.together" if together(drops) else "verdict.last"
    cards = "".join(_card(drop, judged.get(drop.task), words, words(last)) for drop in drops)
    note = "verdict.method" if judged else "verdict.caution"
    return (
        f"<div class='oh-cards'>{cards}</div><p class='oh-quiet oh-small'>{escape(words(note))}</p>"
    )


def _card(drop: Drop, judged: dict[str, Any] | None, words: Words, last: str) -> str:
    told = [f"{drop.metric} {drop.base:.3f} → {drop.final:.3f}"]
    large = "–" if math.isnan(drop.retention) else percent(drop.retention)
    if drop.final_stage == drop.base_stage:
        verdict, kind, large = last, "none", f"{drop.final:.3f}"
        told = [drop.metric]
    elif math.isnan(drop.retention):
        kind, verdict = "fail", words("verdict.nothing")
    elif judged is None:
        kind = "pass" if drop.within_gate else "fail"
        verdict = words("verdict.gain") if drop.drop_rel < 0 else words(f"verdict.{kind}")
    else:
        kind = judged["verdict"]
        verdict = words(f"verdict.{kind}")
        low, high = (judged["drop"][end] for end in ("low", "high"))
        if low is not None and high is not None:
            # An interval of the drop, told as what is kept.
            told.append(words("verdict.interval", low=percent(1 - high), high=percent(1 - low)))
    if judged is not None and judged["reached"] < judged["floor"]:
        kind, verdict = (
            "fail",
            words(
                "verdict.floor",
                metric=judged["floor_metric"],
                reached=f"{judged['reached']:.3f}",
                floor=f"{judged['floor']:.3f}",
            ),
        )
    if drop.n:
        told.append(words("verdict.n", n=drop.n))
    mark = {"pass": "✓ ", "fail": "✗ ", "undecided": "? ", "none": ""}[kind]
    return (
        f"<article class='oh-card' style='--c:{TASK_COLORS[drop.task]}'>"
        f"<h4>{escape(words.task(drop.task))}</h4>"
        f"<p class='oh-large'>{escape(large)}</p>"
        f"<p class='oh-verdict oh-{kind}'>{mark}{escape(verdict)}</p>"
        f"<p class='oh-quiet oh-small'>{escape(' · '.join(told))}</p></article>"
    )
