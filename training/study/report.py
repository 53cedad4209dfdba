"""A study as a page, as Markdown and as a table: report.html, report.md, results.csv."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from mtl_core.analysis.verdicts import stored_meter
from mtl_core.metrics.accuracy_matrix import ALLOWED_DROP
from mtl_core.metrics.bootstrap import difference_interval, resamples
from mtl_core.runs.run_directory import Run
from mtl_core.tasks import primary_metrics
from mtl_core.tasks.data_roots import data_roots, read_split
from mtl_core.types import InputError
from training.study.runs import DIVERGED, Cell, StudyRuns, by_method, references, results

DEFAULT = "distill"  # what the others are compared with
INKS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#9955FF", "#555555")
HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Ways not to forget</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;display:block;overflow-x:auto}
td,th{padding:.25rem .6rem;border-bottom:1px solid #ccc;text-align:right}
td:first-child,th:first-child{text-align:left}</style></head><body>
"""


def percent(value: float, sign: bool = False) -> str:
    """A fraction in percent; a dash where it is undefined."""
    if value is None or math.isnan(value):
        return "–"
    return f"{100 * value:{'+' if sign else ''}.1f}"


def method_rows(table: pd.DataFrame, tasks: list[str]) -> tuple[list[str], list[list[str]]]:
    """The table by method as text: its head and its rows."""
    head = ["method", "seeds"]
    for task in tasks:
        head += [f"{task} base", f"{task} final", f"{task} drop %", f"{task} pass", "of single %"]
    head += ["old kept %", "forgetting", "backward transfer", "forward transfer"]
    head += ["deepest dip %", "minutes"]
    rows = []
    for _, row in table.iterrows():
        cells = [str(row["method"]), str(row["seeds"])]
        for task in tasks:
            cells += [
                percent(row[f"base {task}"]),
                percent(row[f"final {task}"]),
                percent(row[f"drop {task}"], sign=True),
                str(row[f"pass {task}"]),
                percent(row[f"of single {task}"]),
            ]
        cells += [
            percent(row["old"]),
            percent(row["forgetting"]),
            percent(row["backward"], sign=True),
            percent(row["forward"], sign=True),
            percent(row["dip"]),
            f"{row['seconds'] / 60:.0f}",
        ]
        rows.append(cells)
    return head, rows


def differences(study: StudyRuns, data: Path, split: str) -> tuple[list[str], list[list[str]]]:
    """Each method's final scores minus the default's, in points, with paired intervals.

    Of the lowest seed that both have; no rows without a run of the default.
    """
    found = {(cell.label, cell.seed): run for cell, run in study.runs() if cell.task is None}
    roots = data_roots(data)
    head = ["method", "seed", *(f"{metric} − {DEFAULT}" for metric in primary_metrics().values())]
    rows = []
    splits = {task: read_split(roots, task, split) for task in primary_metrics()}
    for label in dict.fromkeys(label for label, _ in found):
        seeds = sorted(seed for name, seed in found if name == label and (DEFAULT, seed) in found)
        if label == DEFAULT or not seeds:
            continue
        pair = [found[DEFAULT, seeds[0]], found[label, seeds[0]]]
        cells = [label, str(seeds[0])]
        for task, metric in primary_metrics().items():
            meters = [stored_meter(run, run.stages[-1].number, splits[task]) for run in pair]
            gap = difference_interval(
                meters[0], meters[1], metric, resamples(len(splits[task].items))
            )
            value, low, high = (percent(v, True) for v in (gap.value, gap.low, gap.high))
            cells.append(f"{value} ({low} to {high})")
        rows.append(cells)
    return head, rows


def plane(table: pd.DataFrame) -> go.Figure:
    """Retention of the old against what the new reached; a line through a method's strengths."""
    figure = go.Figure()
    figure.add_hline(y=100 * (1 - ALLOWED_DROP), line=dict(color="#999", dash="dash", width=1))
    families = dict.fromkeys(str(m).split("-x")[0] for m in table["method"])
    for ink, family in zip(INKS, families, strict=False):
        own = table[[str(m).split("-x")[0] == family for m in table["method"]]]
        own = own.sort_values("strength")
        if own["old"].isna().all():  # all at once: what it reached, and nothing that it could keep
            figure.add_vline(
                x=100 * own["new"].iloc[0],
                line=dict(color=ink, dash="dot"),
                annotation_text=family,
                annotation_position="bottom right",
            )
            continue
        figure.add_scatter(
            x=100 * own["new"],
            y=100 * own["old"],
            mode="lines+markers+text",
            name=family,
            text=own["method"],
            textposition="top center",
            line=dict(color=ink, width=1),
            marker=dict(size=16, color=ink),
            hovertemplate="%{text}<br>new %{x:.1f} %, old kept %{y:.1f} %<extra></extra>",
        )
    figure.update_layout(template="simple_white", height=520, showlegend=False)
    figure.update_xaxes(title="what the new tasks reached, % of the same task trained alone")
    figure.update_yaxes(title="what the old tasks kept, % of their base")
    return figure


def ablation_rows(
    frame: pd.DataFrame, tasks: list[str], alone: dict[str, float]
) -> tuple[list[str], list[list[str]]]:
    """The default with all its parts, without each, and with nothing distilled; one seed.

    No rows where the study left nothing out.
    """
    seeds = frame[frame["without"] != ""]["seed"]
    nothing = f"{DEFAULT}-x0"
    own = frame[frame["method"].isin([DEFAULT, nothing]) | (frame["without"] != "")]
    own = own[own["seed"] == seeds.min()]
    if own.empty:
        return [], []
    head, rows = method_rows(by_method(own, alone), tasks)
    names = {DEFAULT: "the whole recipe", nothing: "nothing distilled"}
    for row in rows:
        row[0] = names.get(row[0], row[0].removeprefix(f"{DEFAULT}-").replace("-", " "))
    ends = list(names.values())  # first the whole, then nothing of it, then its parts
    rows.sort(key=lambda row: ends.index(row[0]) if row[0] in ends else len(ends))
    return head, rows


def drops_figure(frame: pd.DataFrame) -> go.Figure:
    """The drop of every earlier task with its interval, first seed of every method."""
    first = frame[frame["drop"].notna()]
    first = first[first["seed"] == first.groupby("method")["seed"].transform("min")]
    figure = go.Figure()
    for ink, (task, own) in zip(INKS, first.groupby("task", sort=False), strict=False):
        figure.add_scatter(
            x=own["method"],
            y=100 * own["drop"],
            error_y=dict(
                array=100 * (own["drop_high"] - own["drop"]),
                arrayminus=100 * (own["drop"] - own["drop_low"]),
            ),
            mode="markers",
            name=f"{task} ({primary_metrics()[str(task)]})",
            marker=dict(size=11, color=ink),
        )
    figure.add_hline(y=100 * ALLOWED_DROP, line=dict(color="#999", dash="dash", width=1))
    figure.update_layout(template="simple_white", height=420, scattermode="group")
    figure.update_yaxes(title="drop, % of the base (95 % interval)")
    return figure


def dips_figure(runs: list[tuple[Cell, Run]], task: str) -> go.Figure:
    """The first task on the subset images, inside the later stages."""
    figure = go.Figure()
    shown = [(c, r) for c, r in runs if c.plain and len(r.stages) > 1]
    lowest = min((c.seed for c, _ in shown), default=0)
    for ink, (cell, run) in zip(INKS, [x for x in shown if x[0].seed == lowest], strict=False):
        records = run.records()
        subsets = records[
            (records["scope"] == "subset") & (records["metric"] == primary_metrics()[task])
        ]
        for stage, rows in subsets[subsets["stage"] > 1].groupby("stage"):
            rows = rows.sort_values("step")
            length = max(1, int(records[records["stage"] == stage]["step"].max()))
            figure.add_scatter(
                x=stage - 1 + rows["step"] / length,
                y=100 * rows["value"],
                mode="lines+markers",
                name=cell.label,
                legendgroup=cell.label,
                showlegend=bool(stage == subsets[subsets["stage"] > 1]["stage"].min()),
                line=dict(color=ink),
            )
    figure.update_layout(template="simple_white", height=420)
    figure.update_xaxes(title="stage (1 is the end of the first)")
    figure.update_yaxes(title=f"{primary_metrics()[task]} on the subset images, %")
    return figure


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def html_table(head: list[str], rows: list[list[str]]) -> str:
    """The same as HTML."""
    titles = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def write_report(study: StudyRuns, data: Path, split: str) -> None:
    """Write the three files into the study's directory.

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
    tasks = list(dict.fromkeys(frame["task"]))
    alone = ", ".join(f"{t} {percent(s)}" for t, s in reached_alone.items())
    n = ", ".join(f"{t} {frame[frame['task'] == t]['n'].iloc[0]}" for t in tasks)
    shown_metrics = ", ".join(primary_metrics()[t] for t in tasks)
    notes = (
        f"Scores in percent ({shown_metrics}), means over the seeds. "
        f"Images measured: {n}. Single-task references: {alone}. A drop is relative to the base; "
        "pass means that its whole 95 % interval lies at or below 5 % and the final score reaches "
        "the task's floor; where no stage followed, only the floor counts. The dip is the "
        "deepest relative fall of an earlier task inside a later stage, on the subset images. "
        "Forgetting (best score so far minus final), backward transfer (final minus base) and "
        "forward transfer (base minus the task trained alone) are means over tasks, in points."
    )
    compares = set(tasks) <= set(reached_alone)
    if not compares:
        notes += " What new tasks reach is compared with the same task alone: --methods single."
    exploded = [path.parent.name for path in sorted(study.path.glob(f"*/{DIVERGED}"))]
    if exploded:
        notes += f" Without a result, because their loss exploded: {', '.join(exploded)}."
    tables = {
        "": method_rows(table, tasks),
        f"Against {DEFAULT}, in points (95 % interval)": differences(study, data, split),
        f"What the parts of {DEFAULT} bring": ablation_rows(frame, tasks, reached_alone),
    }
    tables = {title: (head, rows) for title, (head, rows) in tables.items() if rows}
    text = f"# Ways not to forget\n\n{notes}\n"
    for title, (head, rows) in tables.items():
        text += f"\n## {title}\n" if title else ""
        text += f"\n{markdown(head, rows)}\n"
    (study.path / "report.md").write_text(text, encoding="utf-8")
    figures = [
        ("Drops", drops_figure(whole)),
        ("Inside the stages", dips_figure(study.runs(), tasks[0])),
    ]
    if compares:
        figures.insert(0, ("What the old kept, what the new reached", plane(table)))
    parts = [HEAD, f"<h1>Ways not to forget</h1><p>{escape(notes)}</p>"]
    parts.append(html_table(*tables.pop("")))
    for i, (title, figure) in enumerate(figures):
        drawn = figure.to_html(full_html=False, include_plotlyjs=i == 0)
        parts.append(f"<h2>{escape(title)}</h2>{drawn}")
    for title, (head, rows) in tables.items():
        parts.append(f"<h2>{escape(title)}</h2>{html_table(head, rows)}")
    parts.append("</body></html>\n")
    (study.path / "report.html").write_text("\n".join(parts), encoding="utf-8")
