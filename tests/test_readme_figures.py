"""The tables of README, results and model card say what the committed files hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from mtl_core.runs.records import read_records
from mtl_core.runs.run_directory import Run

ROOT = Path(__file__).parents[1]
README, RESULTS, CARD = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/results.md", "MODEL_CARD.md")
)
ONEHEAD = ROOT / "assets" / "runs" / "onehead"
STUDY = ROOT / "assets" / "study"
NUMBER = re.compile(r"[-−]?\d+(?:\.\d+)?")


def table_below(words: str, text: str = RESULTS) -> list[list[str]]:
    """The cells of the first table after these words, without its head."""
    lines = text[text.index(words) :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def numbers(cell: str) -> list[float]:
    return [float(found.replace("−", "-")) for found in NUMBER.findall(cell)]


def shown(value: float, digits: int) -> float:
    """As a table rounds it; a tie may go either way."""
    return pytest.approx(value, abs=0.5 * 10**-digits + 1e-6)


@pytest.mark.parametrize(
    ("name", "words"),
    [("onehead", "## Results"), ("onehead-finetune", "## The run beside it")],
)
def test_the_shipped_runs(name: str, words: str):
    path = ONEHEAD.parent / name
    records = Run(path).records()
    verdicts = {v["task"]: v for v in json.loads((path / "verdicts.json").read_text())["tasks"]}
    whole = records[records["scope"] == "stage"]
    for row in table_below(words, CARD):
        metric = re.search(r"mIoU|mAP50|mAP|top1", row[0])[0]
        scores = whole[whole["metric"] == metric].sort_values("stage")["value"]
        assert numbers(row[1]) == [shown(100 * scores.iloc[0], 1)], row
        assert numbers(row[2]) == [shown(100 * scores.iloc[-1], 1)], row
        if row[3]:
            drop = verdicts[whole[whole["metric"] == metric]["task"].iloc[0]]["drop"]
            assert numbers(row[3].replace("%", "")) == [
                shown(100 * drop[key], 1) for key in ("value", "low", "high")
            ], row


def test_the_boxes_calibration_error():
    verdicts = {v["task"]: v for v in json.loads((ONEHEAD / "verdicts.json").read_text())["tasks"]}
    stated = numbers(CARD.split("calibration error")[1].split("on")[0])[0]
    assert stated == shown(verdicts["det"]["ece"], 2)


METHODS = pd.read_csv(STUDY / "results.csv")


@pytest.mark.parametrize("row", table_below("On a small sample"), ids=lambda row: row[0])
def test_ways_not_to_forget(row: list[str]):
    method = row[0].split("`")[1]
    if "preset" in row[0]:
        records = read_records(STUDY / "preset-report" / "records.jsonl")
        whole = records[records["scope"] == "stage"]
        ends = {
            metric: 100 * whole[whole["metric"] == metric].groupby("stage")["value"].last()
            for metric in ("mIoU", "mAP", "mAP50", "top1")
        }
        for cell, drop, metric in ((row[2], row[3], "mIoU"), (row[4], row[5], "mAP")):
            base, final = ends[metric].iloc[0], ends[metric].iloc[-1]
            assert numbers(cell) == [shown(base, 1), shown(final, 1)]
            assert numbers(drop) == [shown(100 * (base - final) / base, 1)]
        assert numbers(row[6]) == [shown(ends["mAP50"].iloc[-1], 1)]
        assert numbers(row[7]) == [shown(ends["top1"].iloc[-1], 1)]
        return
    runs = METHODS[(METHODS["method"] == method) & (METHODS["strength"] == 1)].sort_values("seed")
    tasks = {task: runs[runs["task"] == task] for task in ("seg", "det", "cls")}
    assert int(row[1]) == len(tasks["seg"])
    for task, scores, drops in (("seg", row[2], row[3]), ("det", row[4], row[5])):
        found = tasks[task]
        means = [100 * found["base"].mean(), 100 * found["final"].mean()]
        means = means[1:] if method == "joint" else means
        assert numbers(scores) == [shown(mean, 1) for mean in means], row
        wanted = [] if method == "joint" else [shown(100 * d, 1) for d in found["drop"]]
        assert numbers(drops) == wanted, row
    # Detection's floor is one of mAP50, so that is what a run reached.
    assert numbers(row[6]) == [shown(100 * tasks["det"]["reached"].mean(), 1)], row
    assert numbers(row[7]) == [shown(100 * tasks["cls"]["final"].mean(), 1)], row


@pytest.mark.parametrize("row", table_below("## What was measured", README), ids=lambda row: row[0])
def test_the_readme_says_what_the_results_say(row: list[str]):
    method = row[0].split(":")[0]
    [whole] = [found for found in table_below("On a small sample") if found[0].startswith(method)][
        :1
    ]
    assert row[1:] == [whole[1], whole[2], whole[4]]


SWEEP = pd.read_csv(STUDY / "sweep" / "results.csv")
SWEEP["without"] = SWEEP["without"].replace({"trunk": "backbone"})  # as the part was named then


def of_sweep(method: str, factor: float, without: str | None = None) -> pd.DataFrame:
    part = SWEEP["without"].isna() if without is None else SWEEP["without"] == without
    base = SWEEP["method"].str.split("-").str[0] == method
    return SWEEP[base & part & (SWEEP["strength"] == factor)].set_index("task")


def test_strengths():
    columns = ("distill", "lwf", "ewc", "replay")
    rows = table_below("segmentation 51.9):")
    assert len(rows) == 7
    for row in rows:
        for method, cell in zip(columns, row[1:], strict=True):
            if not cell:
                continue
            factor = float(row[0])
            found = of_sweep(method, factor)
            drop, score = numbers(cell)
            assert drop == shown(100 * found.loc["seg", "drop"], 1), (row, method)
            assert score == shown(100 * found.loc["det", "final"], 1), (row, method)


PART_NAMES = {
    "the whole": None,
    "backbone moves": "backbone",
    "shared layers at full rate in the third stage": "slow",
    "neck not distilled": "neck",
    "boxes not distilled": "boxes",
    "masks not distilled": "masks",
}


def test_parts():
    rows = table_below("and the default without each of its parts")
    assert {row[0] for row in rows} == {*PART_NAMES, "nothing distilled"}
    for row in rows:
        factor = 0.0 if row[0] == "nothing distilled" else 1.0
        found = of_sweep("distill", factor, PART_NAMES.get(row[0]))
        assert numbers(row[1]) == [shown(100 * found.loc["seg", "drop"], 1)], row
        wanted = [found.loc["det", "base"], found.loc["det", "final"]]
        assert numbers(row[2]) == [shown(100 * value, 1) for value in wanted], row
        assert numbers(row[3]) == [shown(100 * found.loc["det", "reached"], 1)], row
        assert numbers(row[4]) == [shown(100 * found.loc["cls", "final"], 1)], row


SHORT = STUDY / "short"


@pytest.mark.parametrize("row", table_below("## The strengths chosen anew"), ids=lambda row: row[0])
def test_strengths_chosen_anew(row: list[str]):
    sweep = pd.read_csv(SHORT / "sweep" / "results.csv")
    for family, cell in zip(("distill", "lwf", "ewc", "replay", "joint"), row[1:], strict=True):
        found = sweep[(sweep["family"] == family) & (sweep["strength"] == float(row[0]))]
        assert bool(cell) == bool(len(found)), (row, family)
        if cell:
            drop = found.set_index("task").loc["seg", "drop"]
            wanted = [100 * found["final"].mean(), *([] if family == "joint" else [100 * drop])]
            assert numbers(cell) == [shown(value, 1) for value in wanted], (row, family)


def test_the_table_of_the_shorter_study_is_its_report_s():
    report = (SHORT / "report.md").read_text().splitlines()
    for row in table_below("a bootstrap over seeds and images together"):
        assert "| " + " | ".join(row) + " |" in report


COSTS = {
    "beside eager PyTorch (channels last)": (
        "onnx / torch eager",
        "onnx / torch eager, channels last",
    ),
    "beside the bare backbone, rewritten as ours (as exported)": (
        "whole network / bare backbone",
        "whole network / bare backbone as exported",
    ),
    "beside LRASPP + SSDlite + EfficientNet-B0 at their usual sizes, theirs as exported": (
        "onehead / three specialists, usual sizes",
    ),
    "the same at 384 px, the size that the shipped run sees": (
        "onehead, 384 px / three specialists, usual sizes",
    ),
    "beside the same three at 512 px": ("onehead / three specialists, 512 px",),
    "beside three single-task copies of itself": ("onehead / three single-task copies",),
    "at 384 px, beside YOLO26n + YOLO26n-sem + YOLO11n-cls at their usual 640, 640 and 224 px": (
        "onehead, 384 px / all beside, usual sizes",
    ),
    "at 384 px, beside the same three at 384 px": ("onehead, 384 px / all beside, 384 px",),
    "three stages at once / one stage, 384 px": ("3 stages, side by side / one stage",),
    "eighteen stages at once / one stage, 384 px": ("18 stages, side by side / one stage",),
    "a 1280 x 960 JPEG read at half its size, prepared, decoded, drawn / the network": (
        "all but the network, draft / network",
    ),
    "the same with all its pixels": ("all but the network, all pixels / network",),
}


@pytest.mark.parametrize("row", table_below("## What a pass costs"), ids=lambda row: row[0])
def test_what_a_pass_costs(row: list[str]):
    latency = Run(ONEHEAD).latency()
    assert latency
    ratios = {}
    for section in latency.values():
        ratios |= section.get("ratios", {})
    first, *others = (ratios[name] for name in COSTS[row[0]])
    outside, _, inside = row[1].partition("(")
    digits = 1 if first["value"] > 5 else 2
    wanted = [first["value"]]
    if len(numbers(outside)) > 1:
        wanted += [first["low"], first["high"]]
    assert numbers(outside) == [shown(value, digits) for value in wanted]
    assert numbers(inside) == [shown(other["value"], digits) for other in others]


def test_what_it_reaches_in_what_time():
    measured = json.loads((ONEHEAD / "accuracy_and_time.json").read_text())
    rows = table_below("## What it reaches in what time")
    assert len(rows) == len(measured["rows"])
    for row, point in zip(rows, measured["rows"], strict=True):
        assert (row[0], row[1]) == (f"{point['input_px']} px", point["precision"])
        scores = [100 * point["scores"][name] for name in ("mIoU", "mAP", "mAP50", "top1")]
        found = [float(cell) for cell in row[2:]]
        assert found == [*(shown(score, 1) for score in scores), shown(point["p50_ms"], 1)]


def test_what_a_training_step_costs():
    ratios = json.loads((STUDY / "training_times.json").read_text())["training"]["ratios"]
    printed = RESULTS[
        RESULTS.index("`python -m training.benchmark_training --data DIR` on `mini`") :
    ]
    for words, name in (
        ("teacher takes", "with teacher / without teacher"),
        ("decodes every image again", "plain loop / with teacher"),
    ):
        found = numbers(printed[printed.index(words) + len(words) :].split("times")[0])
        ratio = ratios[name]
        assert found == [shown(ratio[key], 2) for key in ("value", "low", "high")]
