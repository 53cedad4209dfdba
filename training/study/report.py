"""A study as a page, as Markdown and as tables: report.html, report.md, results.csv,
comparisons.json.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

import pandas as pd

from mtl_core.runs.sealed_json import write_json
from mtl_core.tasks import primary_metrics
from mtl_core.types import InputError
from training.markdown import markdown
from training.study import strengths, tables
from training.study.figures import dips_figure, drops_figure, plane
from training.study.judged import DEFAULT, JudgedStudy
from training.study.runs import DIVERGED, StudyRuns, by_method, references, results

HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Ways not to forget</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;display:block;overflow-x:auto}
td,th{padding:.25rem .6rem;border-bottom:1px solid #ccc;text-align:right}
td:first-child,th:first-child{text-align:left}</style></head><body>
"""


def html_table(head: list[str], rows: list[list[str]]) -> str:
    """A table as HTML."""
    titles = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def notes(judged: JudgedStudy, study: StudyRuns, compares: bool) -> str:
    """What the figures are, in a paragraph."""
    images = ", ".join(f"{task} {n}" for task, n in judged.images.items())
    metrics = ", ".join(primary_metrics()[task] for task in judged.tasks)
    most = max(len(runs) for runs in judged.methods.values())
    drawn = (
        "over seeds and images, both drawn anew"
        if most > 1
        else "over images alone, since there is one seed: another seed may differ by more"
    )
    text = (
        f"Scores in percent ({metrics}), means over the seeds, on images that trained no run: "
        f"{images}. A drop is relative to the base, the score right after a task's own stage. "
        f"Intervals hold 95 % of a bootstrap {drawn}, and methods are compared on the same seeds "
        "and images; none is corrected for how many there are. A method passes the gate where "
        "every drop's whole interval lies at or below 5 % and every final score reaches its "
        "task's floor."
    )
    if not compares:
        text += " What new tasks reach is compared with the same task alone: --methods single."
    exploded = [path.parent.name for path in sorted(study.path.glob(f"*/{DIVERGED}"))]
    if exploded:
        text += f" Without a result, because their loss exploded: {', '.join(exploded)}."
    return text


KEEPS = "What keeps more"
TRANSFER = (
    "Old kept is the mean of final / base over earlier tasks; forgetting (best score so far minus "
    "final), backward transfer (final minus base) and forward transfer (base minus the task "
    "trained alone) are means over tasks, in points. The dip is the deepest relative fall of an "
    "earlier task inside a later stage, on the subset images."
)


def write_report(study: StudyRuns, data: Path, split: str) -> None:
    """Write the files into the study's directory; strengths.json where strengths were swept.

    Raises:
        InputError: no run of the study is finished.
    """
    frame = results(study)
    if frame.empty:
        raise InputError(f"{study.path} holds no finished run: expected some to report on.")
    frame.to_csv(study.path / "results.csv", index=False)
    whole = frame[frame["without"] == ""]
    reached_alone = references(whole)
    table = by_method(whole, reached_alone)
    if table.empty:
        raise InputError(f"{study.path} holds references alone: expected a method, too.")
    judged = JudgedStudy(study, data, split)
    write_json(study.path / "comparisons.json", judged.to_dict())
    swept = strengths.chosen(whole)
    if swept:
        made = study.runs()[0][1].manifest
        images = made["data_fingerprint"][judged.tasks[0]]
        content = {"preset": made["config"]["preset"], "split": images["eval"]["split"]}
        write_json(study.path / "strengths.json", content | {"methods": swept})
    compares = set(judged.tasks) <= set(reached_alone)
    parts: list[tuple[str, str, tables.Table]] = [
        ("", "", tables.main_table(judged, whole)),
        (KEEPS, "\n".join(tables.sentences(judged)), ([], [])),
        ("Strengths", "\n".join(strengths.sentences(swept)), ([], [])),
        (
            f"Final scores minus those of {judged.default}, in points",
            "",
            tables.differences(judged),
        ),
        ("What each task reached", "", tables.reached_table(judged, whole)),
        ("Transfer, dips and time", TRANSFER, tables.transfer_table(table)),
        (
            f"What the parts of {DEFAULT} bring, one seed",
            "",
            tables.ablation_table(frame, judged.tasks, reached_alone),
        ),
    ]
    parts = [part for part in parts if part[2][1] or (not part[2][0] and part[1])]
    said = notes(judged, study, compares)
    text = f"# Ways not to forget\n\n{said}\n"
    for title, words, (head, rows) in parts:
        text += f"\n## {title}\n" if title else ""
        text += "\n" + words.replace("\n", "\n\n") + "\n" if words else ""
        text += f"\n{markdown(head, rows)}\n" if rows else ""
    (study.path / "report.md").write_text(text, encoding="utf-8")
    page = [HEAD, f"<h1>Ways not to forget</h1><p>{escape(said)}</p>"]
    page += _html(*parts[0]) + _figures(study, judged, table, compares)
    for part in parts[1:]:
        page += _html(*part)
    page.append("</body></html>\n")
    (study.path / "report.html").write_text("\n".join(page), encoding="utf-8")


def _html(title: str, words: str, table: tables.Table) -> list[str]:
    found = [f"<h2>{escape(title)}</h2>"] if title else []
    found += [f"<p>{escape(line)}</p>" for line in words.splitlines()]
    return found + ([html_table(*table)] if table[1] else [])


def _figures(
    study: StudyRuns, judged: JudgedStudy, table: pd.DataFrame, compares: bool
) -> list[str]:
    figures = [
        ("Drops", drops_figure(judged)),
        ("Inside the stages", dips_figure(study.runs(), judged.tasks[0])),
    ]
    if compares:
        figures.insert(0, ("What the old kept, what the new reached", plane(table)))
    return [
        f"<h2>{escape(title)}</h2>{figure.to_html(full_html=False, include_plotlyjs=i == 0)}"
        for i, (title, figure) in enumerate(figures)
    ]
