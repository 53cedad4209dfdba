"""A prediction in a few short lines, one per task. Pure functions."""

from __future__ import annotations

from app.language import Words
from app.results.changes import mask_shares
from app.results.percentages import percent
from mtl_core.types import Boxes, LabelMap, Prediction, Probabilities, ScalarMap

_MOST = 2  # classes or boxes that are named


def answer_lines(said: Prediction, score: float, words: Words) -> list[str]:
    """What each task's answer holds.

    Args:
        said: the prediction.
        score: boxes below it are not counted.
        words: the visitor's language.
    """
    lines = []
    for task, part in said.parts.items():
        names = [words.class_name(name) for name in said.class_names.get(task, [])]
        if isinstance(part, LabelMap):
            shares = list(mask_shares(part.ids, said.class_names[task]).items())[:_MOST]
            told = ", ".join(f"{words.class_name(name)} {percent(s)}" for name, s in shares)
            lines.append(words("grid.pixels", said=told or words("viewer.background")))
        elif isinstance(part, Boxes):
            shown = part.above(score)
            count = len(shown)
            one = words("viewer.box_count_one")
            told = one if count == 1 else words("viewer.box_count", count=count)
            best = ", ".join(
                f"{names[int(label)]} {value:.2f}"
                for label, value in zip(shown.labels[:_MOST], shown.scores[:_MOST], strict=True)
            )
            lines.append(f"{told}: {best}" if best else told)
        elif isinstance(part, Probabilities):
            top = int(part.values.argmax())
            share = percent(float(part.values[top]))
            none = words("viewer.none_closest", name=names[top], share=share)
            said_of_all = none if part.known is False else f"{names[top]} {share}"
            lines.append(words("grid.whole", said=said_of_all))
        elif isinstance(part, ScalarMap):
            lines.append(f"{words.task(task)} {part.values.min():.3g} – {part.values.max():.3g}")
    return lines
