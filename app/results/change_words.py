"""What changed between two predictions, told in words: a line, or a small table. Pure functions."""

from __future__ import annotations

from collections import Counter
from html import escape

from app.language import Words
from app.palette import color_of, is_background
from app.results.changes import BoxChange, Changes, MaskChange

# Below this a mask's edge has merely trembled.
TREMBLE = 0.001
_ROWS = 6
_KINDS = ("lost", "renamed", "shifted", "found", "kept")


def percent(share: float) -> str:
    """A fraction as a percentage with as many digits as it deserves."""
    value = share * 100
    return f"{value:.0f} %" if value >= 9.95 or value == 0 else f"{value:.1f} %"


def one_line(changes: Changes, words: Words) -> str:
    """The changes as one short sentence, for the space under a small image."""
    parts = []
    if changes.boxes is not None:
        counts = Counter(change.kind for change in changes.boxes)
        told = [f"{counts[k]} {words('changes.' + k)}" for k in _KINDS[:-1] if counts[k]]
        if told:
            parts.append(f"{words('changes.boxes')}: {', '.join(told)}")
    if changes.mask is not None and changes.mask_agreement is not None:
        moved = 1 - changes.mask_agreement
        if moved >= TREMBLE:
            parts.append(words("changes.pixels", share=percent(moved)))
        else:
            parts.append(words("changes.pixels_same"))
    if changes.top_before and changes.top_after and changes.top_before[0] != changes.top_after[0]:
        parts.append(_top(changes, words))
    return "; ".join(parts) or words("changes.none")


def table(changes: Changes, words: Words, score_threshold: float) -> str:
    """The changes as HTML: boxes by kind, pixels from what to what, the top class."""
    blocks = []
    for task, told in (
        ("det", changes.boxes is not None and _boxes(changes.boxes, words)),
        ("seg", changes.mask is not None and _mask(changes, words)),
        ("cls", bool(changes.top_before) and f"<p>{escape(_top(changes, words))}</p>"),
    ):
        title = words.task(task)
        body = told or f"<p class='oh-quiet'>{escape(words('changes.new_task', task=title))}</p>"
        blocks.append(f"<section><h4>{escape(title)}</h4>{body}</section>")
    note = escape(words("changes.at", threshold=f"{score_threshold:.2f}"))
    return f"<div class='oh-changes'>{''.join(blocks)}</div><p class='oh-quiet oh-small'>{note}</p>"


def _top(changes: Changes, words: Words) -> str:
    assert changes.top_before and changes.top_after
    (before, p), (after, q) = changes.top_before, changes.top_after
    if before == after:
        name = words.class_name(after)
        return words("changes.top_same", name=name, before=percent(p), after=percent(q))
    return words(
        "changes.top_other",
        name_before=words.class_name(before),
        before=percent(p),
        name_after=words.class_name(after),
        after=percent(q),
    )


def _boxes(changes: list[BoxChange], words: Words) -> str:
    rows = []
    for kind in _KINDS:
        of_kind = [change for change in changes if change.kind == kind]
        if not of_kind:
            continue
        shown = "".join(_box(change, words) for change in of_kind[:_ROWS])
        more = len(of_kind) - _ROWS
        tail = f" {escape(words('changes.and_more', count=more))}" if more > 0 else ""
        rows.append(
            f"<tr><th scope='row'>{len(of_kind)} {escape(words('changes.' + kind))}</th>"
            f"<td>{shown}{tail}</td></tr>"
        )
    if not rows:
        return f"<p>{escape(words('changes.none'))}</p>"
    return f"<table>{''.join(rows)}</table>"


def _box(change: BoxChange, words: Words) -> str:
    name = change.before or change.after or ""
    if change.kind == "renamed":
        before, after = words.class_name(change.before or ""), words.class_name(change.after or "")
        text = words("changes.box_renamed", before=before, after=after)
    elif change.kind == "shifted":
        text = words("changes.box_shifted", name=words.class_name(name), iou=f"{change.iou:.2f}")
    else:
        score = change.score_before if change.kind == "lost" else change.score_after
        text = words("changes.box_row", name=words.class_name(name), score=f"{score:.2f}")
    return chip(name, text)


def _mask(changes: Changes, words: Words) -> str:
    assert changes.mask is not None and changes.mask_agreement is not None
    moved = 1 - changes.mask_agreement
    if moved < TREMBLE:
        return f"<p>{escape(words('changes.pixels_same'))}</p>"
    large = [change for change in changes.mask if change.share >= TREMBLE][:_ROWS]
    rows = "".join(_pixels(change, words) for change in large)
    return f"<p>{escape(words('changes.pixels', share=percent(moved)))}</p><table>{rows}</table>"


def _pixels(change: MaskChange, words: Words) -> str:
    before, after = (chip(name, words.class_name(name)) for name in (change.before, change.after))
    return f"<tr><td>{before} → {after}</td><td class='oh-number'>{percent(change.share)}</td></tr>"


def chip(name: str, text: str) -> str:
    """A few words about a class beside a dot of its colour, as HTML."""
    color = "transparent" if is_background(name) else color_of(name)
    return f"<span class='oh-chip'><i style='background:{color}'></i>{escape(text)}</span>"
