"""What broke, as the tab lists it: filters, words, small images and the table."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from app.language import Refusal, Words
from app.results.blank_drawing import before_and_after
from app.results.broken_words import caption, key_of, kind_explanations, missing_reason, table
from app.results.why_broken import why
from app.services.stored_predictions import are_stored
from app.services.validation_images import UNREADABLE
from app.site import Site
from mtl_core.runs.run_directory import Run
from mtl_core.types import Prediction

SHOWN = 24  # images in the gallery at first, and how many more a press adds
ANY = ""  # a filter that lets everything through


def broken_rows(
    site: Site,
    run_name: str | None,
    task: str,
    span: str | None,
    kind: str | None,
    of_class: str | None,
    words: Words,
    limit: int = SHOWN,
) -> tuple[Any, ...]:
    """What the tab shows of a run's regressions.

    Args:
        site: the runs, and the images where they are at hand.
        run_name: the chosen run.
        task: whose losses.
        span: "before-after", two stages; the first one there is where it is unknown.
        kind: of loss, or ANY; what this span does not have lets everything through.
        of_class: one of the task's classes, or ANY.
        words: the visitor's language.
        limit: most images in the gallery.

    Returns:
        The filters' choices, a sentence, the kinds explained, the gallery, the button for more of
        it, the table, and the rows in the gallery.
    """
    anything = (words("broken.any"), ANY)
    # One choice at least: what a filter without any holds would be refused when it is sent back.
    nothing = gr.update(choices=[anything], value=ANY)
    blank = gr.update(visible=False, value=None)
    hidden = gr.update(visible=False)
    if not (run_name or site.runs.names):
        return nothing, nothing, nothing, words("forgetting.empty"), "", blank, hidden, blank, []
    run = site.runs.get(run_name)
    own = [row for row in run.regressions() if row["task"] == task]
    if not own:
        why = words("broken.none") if run.is_judged else words("broken.not_judged")
        return nothing, nothing, nothing, why, "", blank, hidden, blank, []
    spans = sorted({(row["before"], row["after"]) for row in own}, key=lambda s: (s[0] - s[1], s))
    span_choices = [(words("broken.from_to", before=a, after=b), f"{a}-{b}") for a, b in spans]
    chosen_span = span if span in dict(span_choices).values() else span_choices[0][1]
    own = [row for row in own if f"{row['before']}-{row['after']}" == chosen_span]
    kinds = sorted({name for row in own for name in row["kinds"]})
    classes = {name for row in own for name in row["classes"]}
    chosen_kind = kind if kind in kinds else ANY
    # A class that lost nothing may be asked for, and has no images then.
    known = run.manifest.get("class_names", {}).get(task, [])
    chosen_class = of_class if of_class in known else ANY
    classes |= {chosen_class} - {ANY}
    rows = [
        row
        for row in own
        if (not chosen_kind or chosen_kind in row["kinds"])
        and (not chosen_class or chosen_class in row["classes"])
    ]
    filters = (
        gr.update(choices=span_choices, value=chosen_span),
        gr.update(
            choices=[anything, *((words(f"broken.{key_of(k)}"), k) for k in kinds)],
            value=chosen_kind,
        ),
        gr.update(
            choices=[anything, *((words.class_name(name), name) for name in sorted(classes))],
            value=chosen_class,
        ),
    )
    listed = gr.update(visible=True, value=table(rows, words))
    count, explained = words("broken.count", count=len(rows)), kind_explanations(task, kinds, words)
    first = rows[:limit]
    cases, missing = cases_of(site, run, own, first, words)
    said = words("broken.click")
    if missing:
        said = missing_reason(run, site.runs.name_of(run), task, missing, words)
        said = f"{words('broken.drawn' if cases else 'broken.alone')} {said}"
    if missing and not cases:
        return *filters, f"{count} {said}", explained, blank, hidden, listed, []
    gallery = gr.update(visible=True, value=cases, selected_index=None)
    further = gr.update(visible=len(rows) > limit)
    return *filters, f"{count} {said}", explained, gallery, further, listed, first


def cases_of(
    site: Site, run: Run, own: list[dict[str, Any]], first: list[dict[str, Any]], words: Words
) -> tuple[list[tuple[np.ndarray, str]], str | None]:
    """Small images with what they lost and why, and why there are no photographs, if so.

    Where the photographs are not here, what was answered after both stages is drawn on blank paper.
    One bad file leaves the list without images, and never the page without its words.

    Args:
        site: the images, where they are at hand, and what the runs kept of their answers.
        run: whose losses.
        own: all rows of a task between two stages.
        first: those of them that are drawn.
        words: the visitor's language.

    Returns:
        Images with captions, and a sentence's key.
    """
    photographs, missing = site.validation_images, None
    try:
        missing = "broken.no_data" if photographs is None else photographs.lacks(run, own)
        cases = []
        for row in first if are_stored(run, own) else []:
            before, after = answers(site, run, row)
            if photographs is None or missing:
                drawn = before_and_after(before, after)
            else:
                # Lost boxes would not be seen in the later answer.
                lost = max(row["kinds"], key=row["kinds"].get, default="") == "lost box"
                seen = before if lost else after
                drawn = photographs.thumbnail(row["task"], row["image"], seen)
            reason = why(before, after, row, words)
            cases.append((drawn, f"{caption(row, words)}\n{reason}".strip()))
        return cases, missing
    except UNREADABLE as error:
        print(f"The images of {run.name} are not shown: {error}")
        return [], "broken.damaged"


def answers(site: Site, run: Run, row: dict[str, Any]) -> tuple[Prediction, Prediction]:
    """What was answered after the two stages of a row.

    Raises:
        Refusal: nothing is stored of that image.
    """
    found = [
        site.stored.of(run, row[end], row["task"]).get(row["image"]) for end in ("before", "after")
    ]
    before, after = found
    if before is None or after is None:
        raise Refusal("image.not_here")
    return before, after
