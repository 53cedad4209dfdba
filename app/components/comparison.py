"""Two stages of any runs against each other: which there are, what they say, what changed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from app.language import Words
from app.palette import class_key
from app.results.change_words import chip, table
from app.results.changes import compare, mask_shares
from app.services.viewed_image import ViewedImage
from app.site import Site
from app.viewer.payload import SMALLEST_SHARE
from mtl_core.decoding.boxes import SHOWN_SCORE
from mtl_core.runs.run_directory import Run
from mtl_core.types import Prediction

# Between a run's name and a stage's number; the number is what follows the last one.
_SEPARATOR = ":"


def side_choices(site: Site, words: Words) -> list[tuple[str, str]]:
    """Every stage of every run, as shown and as sent."""
    return [
        (
            words("against.choice", run=name, number=stage.number, task=words.task(stage.task)),
            f"{name}{_SEPARATOR}{stage.number}",
        )
        for name in site.runs.names
        for stage in site.runs.get(name).stages
    ]


def side_of(run_name: str, number: int) -> str:
    """A side's value as sent."""
    return f"{run_name}{_SEPARATOR}{number}"


def first_sides(site: Site, run: Run) -> tuple[str, str]:
    """What stands against what at first: a run's first stage and its last."""
    name = site.runs.name_of(run)
    return side_of(name, run.stages[0].number), side_of(name, run.stages[-1].number)


def sides_after(
    site: Site, run_name: str | None, left: str | None, right: str | None
) -> tuple[str | None, str | None]:
    """The two sides after another run was chosen.

    Sides of one run follow to the same stages of the new one, or to its first and last where it
    has no such stages; sides of two runs were put together by the visitor and stay.
    """
    if not left or not right or not len(site.runs):
        return left, right
    (one, _, first), (other, _, last) = (s.rpartition(_SEPARATOR) for s in (left, right))
    if one != other:
        return left, right
    run = site.runs.get(run_name)
    if not {first, last} <= {str(stage.number) for stage in run.stages}:
        return first_sides(site, run)
    name = site.runs.name_of(run)
    return side_of(name, int(first)), side_of(name, int(last))


def said_by(
    site: Site, viewed: ViewedImage | None, left: str | None, right: str | None
) -> tuple[Prediction, Prediction] | None:
    """What the two sides say of the image; None where a side or the image is missing."""
    if viewed is None or not left or not right:
        return None
    (one, _, first), (other, _, last) = (s.rpartition(_SEPARATOR) for s in (left, right))
    return (
        viewed.stage(one, int(first), site.runs, site.engines).prediction,
        viewed.stage(other, int(last), site.runs, site.engines).prediction,
    )


def changed(said: tuple[Prediction, Prediction] | None, words: Words) -> str:
    """The classes on both sides, and what changed from the left one to the right one."""
    if said is None:
        return ""
    return legend(said, words) + table(compare(*said, SHOWN_SCORE), words, SHOWN_SCORE)


def legend(said: Sequence[Prediction], words: Words) -> str:
    """The classes that any of these shows, as HTML."""
    names: dict[str, str] = {}
    for side in said:
        if side.mask is not None:
            shares = mask_shares(side.mask, side.names("label_map"))
            names |= {class_key(n): n for n, share in shares.items() if share >= SMALLEST_SHARE}
        if side.boxes is not None:
            boxes = side.boxes.above(SHOWN_SCORE).names(side.names("boxes"))
            names |= {class_key(name): name for name in boxes}
    chips = "".join(chip(name, words.class_name(name)) for name in names.values())
    title = f"<h4>{escape(words('viewer.legend'))}</h4>"
    none = f"<p class='oh-quiet'>{escape(words('viewer.legend_none'))}</p>"
    return f"<section class='oh-legend'>{title}{chips or none}</section>"
