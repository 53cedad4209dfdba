"""Each task's fate in a card: score after its own stage, score at the end, and the verdict."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from app.language import Words
from app.palette import TASK_COLORS
from app.results.change_words import percent
from app.results.run_tables import Drop, together


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


# Below these a task was learned poorly, whatever was kept of it: a mask that is mostly wrong, boxes
# that sit loosely or miss most objects, a guess that is wrong more often than not.
WEAK = {"mIoU": 0.3, "mAP": 0.15, "top1": 0.5}


def in_plain_words(drop: Drop, judged: dict[str, Any], words: Words) -> list[str]:
    """What a drop's interval and the score itself mean, in sentences; none where they add nothing.

    Args:
        drop: of a task that later stages came after.
        judged: its verdict with the drop's interval.
        words: the visitor's language.
    """
    said = []
    low, high = (judged["drop"][end] for end in ("low", "high"))
    if low is not None and high is not None:
        if low == high == 0:
            said.append(words("plain.nothing"))
        elif low <= 0 <= high:
            said.append(words("plain.none"))
        elif high < 0:
            said.append(words("plain.gain"))
        elif judged["verdict"] == "pass":
            said.append(words("plain.small"))
        elif judged["verdict"] == "undecided":
            said.append(words("plain.some"))
    if judged["verdict"] != "fail" and drop.base < WEAK.get(drop.metric, 0.0):
        said.append(words("plain.weak", metric=drop.metric, score=f"{drop.base:.2f}"))
    return said


def _card(drop: Drop, judged: dict[str, Any] | None, words: Words, last: str) -> str:
    told = [f"{drop.metric} {drop.base:.3f} → {drop.final:.3f}"]
    plain: list[str] = []
    large, unit = "–", ""
    if not math.isnan(drop.retention):
        large, unit = percent(drop.retention), words("verdict.kept")
    if drop.final_stage == drop.base_stage:
        verdict, kind, large, unit = last, "none", f"{drop.final:.3f}", drop.metric
        told = []
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
        plain = in_plain_words(drop, judged, words)
    if judged is not None and judged["reached"] < judged["floor"]:
        values = {key: f"{judged[key]:.3f}" for key in ("reached", "floor")}
        kind, plain = "fail", []
        verdict = words("verdict.floor", metric=judged["floor_metric"], **values)
    if drop.n:
        told.append(words("verdict.n", n=drop.n))
    mark = {"pass": "✓ ", "fail": "✗ ", "undecided": "? ", "none": ""}[kind]
    sentences = "".join(f"<p class='oh-plain'>{escape(sentence)}</p>" for sentence in plain)
    return (
        f"<article class='oh-card' style='--c:{TASK_COLORS[drop.task]}'>"
        f"<h4>{escape(words.task(drop.task))}</h4>"
        f"<p class='oh-large'>{escape(large)} <small>{escape(unit)}</small></p>"
        f"<p class='oh-verdict oh-{kind}'>{mark}{escape(verdict)}</p>"
        f"{sentences}"
        f"<p class='oh-quiet oh-small'>{escape(' · '.join(told))}</p></article>"
    )
