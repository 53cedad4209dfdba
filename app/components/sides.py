"""The sides of the divider: which there are, and what stands on them."""

from __future__ import annotations

from typing import Any

from app.language import Words
from app.results.loss_sentence import differences, loss_sentence, opening_pair
from app.results.run_words import method_name
from app.services.runs import SHIPPED
from app.services.viewed_image import ViewedImage
from app.site import Site
from app.viewer.payload import Side

# Between a run's name and a stage's number; the number is what follows the last one.
_SEPARATOR = ":"
NO_SIDE = ""


def left_choices(site: Site, words: Words, visitor: str = "") -> list[tuple[str, str]]:
    """What may stand on the left, as shown and as sent: nothing, or a run at any stage."""
    choices = [(words("sides.none"), NO_SIDE)]
    for name in site.runs.names_for(visitor):
        run, title = site.runs.get(name), run_title(site, name, words)
        choices.append((words("sides.same", run=title), name))
        if len(run.stages) > 1:
            choices += [
                (words("sides.stage", run=title, number=s.number), side_of(name, s.number))
                for s in run.stages
            ]
    return choices


def opening_sides(site: Site) -> tuple[str | None, str]:
    """The run and the left side of one who names none: a run that kept, beside one that forgot."""
    names = site.runs.names
    if not names:
        return None, NO_SIDE
    first = names[0]
    pair = opening_pair({name: site.runs.get(name) for name in names})
    named = site.runs.get(first).path.resolve().parent != SHIPPED  # somebody's own run leads
    if pair is None or (named and first not in pair):
        return first, NO_SIDE
    return pair[1], pair[0]


def run_title(site: Site, name: str, words: Words) -> str:
    """A run's method and its own name."""
    return f"{method_name(site.runs.get(name), words)} ({name})"


def side_of(run_name: str, number: int) -> str:
    """A stage of a run as sent."""
    return f"{run_name}{_SEPARATOR}{number}"


def split_side(site: Site, side: str | None) -> tuple[str, int | None] | None:
    """A side's run and stage (None: the other side's stage); nothing where it is not here."""
    if not side:
        return None
    if side in site.runs:
        return side, None
    name, _, number = side.rpartition(_SEPARATOR)
    if name not in site.runs or not number.isdigit():
        return None
    here = int(number) in {stage.number for stage in site.runs.get(name).stages}
    return (name, int(number)) if here else None


def left_side(
    site: Site, viewed: ViewedImage, left: str | None, right_name: str, words: Words
) -> Side | None:
    """What stands on the left of a run; the same run stands there as it was after its first stage.

    There is nothing where that would be the same on both sides.
    """
    found = split_side(site, left)
    if found is None:
        return None
    name, number = found
    if name == right_name and number is None:
        stages = site.runs.get(name).stages
        if len(stages) < 2:
            return None
        number = stages[0].number
    answers = viewed.of(name, site.runs, site.engines)
    return Side(name, method_name(site.runs.get(name), words), answers, number)


def compared(site: Site, left: Side | None, right: Side, words: Words) -> dict[str, Any]:
    """What was lost per stage of the right side, and what makes the sides hard to compare."""
    run = site.runs.get(right.run)
    other = site.runs.get(left.run) if left else None
    headlines = []
    for answer in right.answers:
        if not answer.number:  # annotations are no stage
            headlines.append({"said": "", "measured": ""})
            continue
        numbers = [a.number for a in left.answers if a.number <= answer.number] if left else []
        at = (left.pinned or (numbers or [left.answers[0].number])[-1]) if left else 0
        beside = (other, at) if other is not None else None
        said, measured = loss_sentence((run, answer.number), beside, words)
        headlines.append({"said": said, "measured": measured})
    note = differences([other, run], words) if other is not None and other is not run else ""
    return {"left": left, "headlines": headlines, "note": note}
