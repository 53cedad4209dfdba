"""What became of each task, in a card: kept, gained, forgotten, undecided or never learned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Any

from app.language import Words
from app.palette import task_color
from app.results.percentages import percent
from app.results.run_tables import Drop, together

# Below these a task was learned poorly, whatever was kept of it: a mask that is mostly wrong, boxes
# that sit loosely or miss most objects, a guess that is wrong more often than not.
WEAK = {"mIoU": 0.3, "mAP": 0.15, "top1": 0.5}
# A gain below this is told as all of it being kept.
_SMALLEST_GAIN = 0.005
_MARKS = {"kept": "✓ ", "forgotten": "✗ ", "never": "✗ ", "undecided": "? ", "none": ""}


@dataclass(frozen=True)
class Verdict:
    """A card's words.

    Attributes:
        kind: ``kept``, ``forgotten``, ``undecided``, ``never`` (learned), or ``none``.
        large: the figure that leads.
        unit: what the figure is.
        sentence: the verdict.
        plain: what the interval and the score mean, where that adds something.
        small: score, interval and number of images.
    """

    kind: str
    large: str
    unit: str
    sentence: str
    plain: tuple[str, ...]
    small: tuple[str, ...]


def verdict_cards(
    drops: list[Drop],
    judged: dict[str, dict[str, Any]],
    words: Words,
    several_seeds: bool = False,
) -> str:
    """HTML for a row of cards, one per task.

    Args:
        drops: as ``run_tables.drops`` makes.
        judged: per task the verdict and the drop's interval, as ``Run.verdicts`` gives them, with
            ``base_reached`` where it is known, the floor's metric right after the task's own stage;
            a task that is not there is shown by its drop alone.
        words: the visitor's language.
        several_seeds: whether the scores of other seeds are shown, too.
    """
    if not drops:
        return f"<p class='oh-quiet'>{escape(words('forgetting.empty'))}</p>"
    last = words("verdict.together" if together(drops) else "verdict.last")
    cards = "".join(_card(drop, judged.get(drop.task), words, last) for drop in drops)
    notes = [words("verdict.method" if judged else "verdict.caution")]
    if judged and not several_seeds:
        notes.append(words("verdict.one_seed"))
    note = escape(" ".join(notes))
    return f"<div class='oh-cards'>{cards}</div><p class='oh-quiet oh-small'>{note}</p>"


def verdict_of(drop: Drop, judged: dict[str, Any] | None, words: Words, last: str) -> Verdict:
    """What a card says of one task.

    Args:
        drop: what became of it.
        judged: its verdict, or None.
        words: the visitor's language.
        last: said of a task that nothing came after.
    """
    small = [f"{drop.metric} {drop.base:.3f} → {drop.final:.3f}"]
    if drop.n:
        small.append(words("verdict.n", n=drop.n))
    after = drop.final_stage > drop.base_stage
    if judged is not None and _at_base(judged, after) < judged["floor"]:
        values = {"reached": f"{_at_base(judged, after):.3f}", "floor": f"{judged['floor']:.3f}"}
        sentence = words("verdict.never", metric=judged["floor_metric"], **values)
        return Verdict("never", f"{drop.base:.3f}", drop.metric, sentence, (), tuple(small))
    if not after:
        return Verdict("none", f"{drop.final:.3f}", drop.metric, last, (), tuple(small[1:]))
    if math.isnan(drop.drop):
        return Verdict("never", "–", "", words("verdict.nothing"), (), tuple(small))
    plain: list[str] = []
    kind = drop.outcome(judged and judged["drop"])
    low, high = (judged["drop"][end] if judged else None for end in ("low", "high"))
    ends = None if low is None or high is None else (float(low), float(high))
    say = percent
    if kind == "forgotten":
        large, unit = percent(drop.drop), words("verdict.lost")
    elif drop.drop < -_SMALLEST_GAIN:
        say = _signed
        large, unit = say(-drop.drop), words("verdict.gained")
        ends = ends and (-ends[1], -ends[0])
    else:
        large, unit = percent(min(drop.retention, 1.0)), words("verdict.kept")
        ends = ends and (1 - ends[1], 1 - ends[0])
    if ends:  # of what leads, and in its words
        said = dict(zip(("low", "high"), map(say, ends), strict=True))
        small.insert(1, words("verdict.interval", what=unit, **said))
    if judged is not None:
        plain = in_plain_words(drop, judged, words)
    sentence = words(f"verdict.{kind}_sentence")
    return Verdict(kind, large, unit, sentence, tuple(plain), tuple(small))


def _signed(share: float) -> str:
    return ("−" if share < 0 else "+") + percent(abs(share))


def _at_base(judged: dict[str, Any], after: bool) -> float:
    """The floor's metric right after the task's own stage; where it is unknown, no less than now.

    What was learned and lost again was learned.
    """
    reached: float = judged["reached"]
    if not after:
        return reached
    known = judged.get("base_reached")
    same = judged["base"] if judged.get("metric") == judged["floor_metric"] else None
    return max([reached, *(float(v) for v in (known, same) if v is not None)])


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
    v = verdict_of(drop, judged, words, last)
    sentences = "".join(f"<p class='oh-plain'>{escape(sentence)}</p>" for sentence in v.plain)
    return (
        f"<article class='oh-card' style='--c:{task_color(drop.task)}'>"
        f"<h4>{escape(words.task(drop.task))}</h4>"
        f"<p class='oh-large'>{escape(v.large)} <small>{escape(v.unit)}</small></p>"
        f"<p class='oh-verdict oh-{v.kind}'>{_MARKS[v.kind]}{escape(v.sentence)}</p>"
        f"{sentences}"
        f"<p class='oh-quiet oh-small'>{escape(' · '.join(v.small))}</p></article>"
    )
