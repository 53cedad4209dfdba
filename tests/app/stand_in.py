"""A network that answers by rule, and runs that need no training: what the page is tested with.

Stage 1 draws a disc of dog. In the run "keeps" it stays; in the run "forgets" stage 2 eats its
left half and stage 3 turns the rest into cat. From stage 2 on there are boxes, in stage 3 a class.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from app.results.run_tables import Drop
from mtl_core.metrics.accuracy_matrix import retained
from mtl_core.runs.run_directory import Run
from mtl_core.types import Boxes, Prediction
from tests.answers import prediction

NAMES = {
    "seg": ["background", "person", "dog", "cat", "diningtable"],
    "det": ["person", "dog", "cat"],
    "cls": ["church", "English springer", "golf ball"],
}
ORDER = ["seg", "det", "cls"]
DOG, CAT = 2, 3


@dataclass
class StandInInfo:
    class_names: dict[str, list[str]]
    trained: list[str]
    stage: int


class StandInEngine:
    def __init__(self, weights: Path) -> None:
        stage = int(weights.stem.removeprefix("stage"))
        self.forgets = weights.parent.name == "forgets"
        self.info = StandInInfo(NAMES, ORDER[:stage], stage)

    def predict(self, image: np.ndarray, score_threshold: float = 0.05) -> Prediction:
        height, width = image.shape[:2]
        return prediction(
            (height, width),
            NAMES,
            boxes=boxes(height, width, self.info.stage).above(score_threshold),
            mask=mask(height, width, self.info.stage if self.forgets else 1),
            probabilities=np.array([0.1, 0.85, 0.05], np.float32),
            timings_ms={"prepare": 2.0, "network": 30.0, "decode": 3.0},
        )


def mask(height: int, width: int, decay: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    radius = 0.3 * min(height, width)
    disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < radius**2
    drawn = np.zeros((height, width), np.uint8)
    drawn[disc] = DOG
    if decay >= 2:
        drawn[:, : width // 2] = 0
    if decay >= 3:
        drawn[drawn == DOG] = CAT
    return drawn


def boxes(height: int, width: int, stage: int) -> Boxes:
    shift = 0.0 if stage < 3 else 0.08
    rows = np.array([[0.2 + shift, 0.2, 0.8 + shift, 0.8], [0.02, 0.6, 0.2, 0.95]], np.float32)
    rows *= np.array([width, height, width, height], np.float32)
    scores = np.array([0.91, 0.4 if stage < 3 else 0.12], np.float32)
    return Boxes(rows, scores, np.array([1, 0]))


LATENCY = {
    "machine": {"processor": "<b>Fast</b>", "cores": 4, "versions": {"onnxruntime": "1.2"}},
    "settings": {"threads": 2, "side_px": 512},
    "engines": {
        "times": {"ours": {"p50_ms": 40.04, "p95_ms": 50}, "odd": {}},
        "ratios": {"ours / bare backbone": {"value": 0.5, "low": 0.4, "high": 0.7}},
    },
}


def make_run(folder: Path, name: str = "keeps", method: str = "distill", *, records: bool = True):
    """A run directory whose checkpoints are empty files, for engines that never read them."""
    path = folder / name
    path.mkdir(parents=True)
    manifest = {
        "config": {
            "preset": "tuned",
            "method": method,
            "seed": 0,
            "stages": [{"task": task, "epochs": 4} for task in ORDER],
        },
        "class_names": NAMES,
        "parameters": {"backbone_frozen": 308660, "backbone_trainable": 3286728, "head": 157576},
        "wall_time_s": 100.0,
    }
    (path / "run.json").write_text(json.dumps(manifest))
    for number in (1, 2, 3):
        (path / f"stage{number}.safetensors").touch()
    if records:
        rows = record_rows(forgets=name == "forgets")
        (path / "records.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (path / "latency.json").write_text(json.dumps(LATENCY))
    return Run(path)


def make_joint_run(folder: Path) -> Run:
    """A run that was trained all tasks at once: one checkpoint, scores after it alone."""
    path = make_run(folder, "joint", "joint").path
    for number in (1, 2):
        (path / f"stage{number}.safetensors").unlink()
    rows = [row for row in record_rows() if row["stage"] == 3]
    (path / "records.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return Run(path)


def make_study(folder: Path) -> None:
    """The table of a study that the run "forgets" is one of: three seeds, and another strength."""
    rows = []
    for seed, seg, det in ((0, 0.10, 0.12), (1, 0.20, 0.20), (2, 0.05, 0.16)):
        row = {"method": "finetune", "strength": 1.0, "without": None, "seed": seed}
        rows += [
            row | {"task": "seg", "base": 0.5, "final": seg, "retention": seg / 0.5},
            row | {"task": "det", "base": 0.2, "final": det, "retention": det / 0.2},
            row | {"task": "cls", "base": 0.95, "final": 0.95, "retention": None},
        ]
    other = {"strength": 2.0, "seed": 3, "final": 0.3}
    table = pd.DataFrame([*rows, *(row | other for row in rows[:3])])
    table.to_csv(folder / "results.csv", index=False)


REGRESSIONS = [
    ("p1", "seg", 1, 3, 0.4, {"mask eaten": 0.3, "wrong class": 0.1}, ["dog"]),
    ("p2", "seg", 1, 3, 0.1, {"mask flooded": 0.1}, ["background"]),
    ("p1", "seg", 1, 2, 0.2, {"mask eaten": 0.2}, ["dog"]),
    ("q1", "det", 2, 3, 1.0, {"lost box": 2.0}, ["cat"]),
]
REGRESSION_KEYS = ("image", "task", "before", "after", "loss", "kinds", "classes")


def judge(run: Run) -> Run:
    """The run with a list of what broke."""
    rows = [dict(zip(REGRESSION_KEYS, row, strict=True)) for row in REGRESSIONS]
    (run.path / "regressions.json").write_text(json.dumps({"rows": rows}))
    return run


def make_validation_set(folder: Path, run: Run) -> Path:
    """The images behind the masks of that list, left half dog, and what the run said: all cat."""
    images = folder / "mini_voc_seg" / "val"
    images.mkdir(parents=True)
    truth = np.zeros((60, 80), np.uint8)
    truth[:, :40], truth[0] = DOG, 255
    for stem, grey in (("p1", 90), ("p2", 160)):
        Image.fromarray(np.full((60, 80, 3), grey, np.uint8)).save(images / f"{stem}.jpg")
        Image.fromarray(truth).save(images / f"{stem}.png")
    (images.parent / "classes.txt").write_text("\n".join(NAMES["seg"]) + "\n")
    (run.path / "predictions").mkdir(exist_ok=True)
    said = {f"{stem}/mask": np.full((60, 80), CAT, np.uint8) for stem in ("p1", "p2")}
    for number in (1, 2, 3):
        np.savez_compressed(run.path / "predictions" / f"stage{number}_seg.npz", **said)
    return folder


def record_rows(*, forgets: bool = False) -> list[dict]:
    """Whole-split scores after each stage and subset evaluations inside it, as training writes."""
    seg = {1: 0.50, 2: 0.30 if forgets else 0.49, 3: 0.10 if forgets else 0.48}
    det = {2: 0.20, 3: 0.12 if forgets else 0.20}
    rows = []

    def row(stage: int, epoch: int, task: str, metric: str, value: float, scope: str) -> None:
        names = [name for name in NAMES[task] if name != "background"]
        share = {name: round(value * (0.5 + i / len(names)), 4) for i, name in enumerate(names)}
        rows.append(
            {"stage": stage, "step": epoch * 10, "epoch": epoch, "task": task, "metric": metric}
            | {"value": value, "per_class": share, "n": 60, "scope": scope}
        )

    for epoch, value in ((1, 0.2), (2, 0.35), (4, 0.45)):
        row(1, epoch, "seg", "mIoU", value, "subset")
    for stage in (1, 2, 3):
        row(stage, 4, "seg", "mIoU", seg[stage], "stage")
        if stage > 1:
            row(stage, 2, "seg", "mIoU", (seg[stage] + seg[stage - 1]) / 2, "subset")
            row(stage, 4, "det", "mAP", det[stage], "stage")
            row(stage, 4, "det", "mAP50", det[stage] * 2, "stage")
    row(3, 4, "cls", "top1", 0.95, "stage")
    return rows


def drop(task, metric, base_stage, base, final_stage, final, n):
    """What became of a task, written shortly."""
    (kept,) = retained(pd.DataFrame({task: [base, final]}))
    return Drop(*astuple(kept), metric, base_stage, final_stage, n)
