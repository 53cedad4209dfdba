"""The table of a run's results."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtl_core.run import Run, append_records, write_json
from mtl_core.types import InputError
from training.summary import summary


def made_run(folder: Path, tasks: list[str], scores: list[tuple]) -> Run:
    folder.mkdir()
    stages = [{"task": task} for task in tasks]
    write_json(folder / "run.json", {"config": {"stages": stages}, "class_names": {}})
    for number in range(1, len(tasks) + 1):
        (folder / f"stage{number}.safetensors").touch()
    columns = ["stage", "task", "metric", "value"]
    rows = [dict(zip(columns, row, strict=True)) | {"scope": "stage"} for row in scores]
    append_records(folder / "records.jsonl", rows)
    return Run(folder)


SEQUENCE = [
    (1, "seg", "mIoU", 0.5),
    (2, "seg", "mIoU", 0.48),
    (2, "det", "mAP", 0.2),
    (2, "det", "mAP50", 0.41),
]


def test_scores_are_percent_and_drops_relative(tmp_path: Path):
    run = made_run(tmp_path / "run", ["seg", "det"], SEQUENCE)
    alone = made_run(tmp_path / "alone", ["det"], [(1, "det", "mAP", 0.25)])
    lines = summary(run, [alone]).splitlines()
    # The first stage is its own reference.
    assert lines[2] == "| seg (mIoU) | 50.0 | 48.0 | +4.0 % | 50.0 | 0.960 |"
    assert lines[3] == "| det (mAP) | 20.0 | 20.0 | +0.0 % | 25.0 | 0.800 |"
    assert lines[4].startswith("| det (mAP50) | | 41.0 |")


def test_without_a_reference_its_columns_are_empty(tmp_path: Path):
    run = made_run(tmp_path / "run", ["seg", "det"], SEQUENCE)
    assert summary(run, []).splitlines()[3].endswith("|  |  |")


def test_what_cannot_be_a_summary_is_told(tmp_path: Path):
    run = made_run(tmp_path / "run", ["seg", "det"], SEQUENCE)
    with pytest.raises(InputError, match="taught several tasks"):
        summary(run, [run])
    with pytest.raises(InputError, match="holds no scores"):
        summary(made_run(tmp_path / "empty", ["seg"], []), [])
