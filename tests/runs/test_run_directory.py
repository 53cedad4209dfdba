"""The run directory, read and written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mtl_core.runs.records import RECORD_COLUMNS, append_records, read_records
from mtl_core.runs.run_directory import Run
from mtl_core.runs.sealed_json import write_json
from mtl_core.types import InputError

MANIFEST = {"config": {"stages": [{"task": "seg"}, {"task": "det"}]}, "class_names": {"seg": ["a"]}}
ROW = {"stage": 1, "step": 3, "epoch": 1, "task": "seg", "metric": "mIoU", "value": 0.5}


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run stopped after the first of its two stages."""
    write_json(tmp_path / "run.json", MANIFEST)
    (tmp_path / "stage1.safetensors").touch()
    append_records(tmp_path / "records.jsonl", [ROW | {"n": 4, "scope": "subset", "per_class": {}}])
    return tmp_path


def test_finished_stages_are_listed(run_folder: Path):
    run = Run(run_folder)
    assert [(s.number, s.task, s.weights.name) for s in run.stages] == [
        (1, "seg", "stage1.safetensors")
    ]
    assert run.class_names == {"seg": ["a"]}
    assert run.name == run_folder.name
    assert run.latency() is None


def test_records_are_appended_and_read_in_order(run_folder: Path):
    append_records(run_folder / "records.jsonl", [ROW | {"value": 0.75, "epoch": 2}])
    frame = Run(run_folder).records()
    assert frame["value"].tolist() == [0.5, 0.75]
    assert set(RECORD_COLUMNS) <= set(frame.columns)


def test_absent_records_are_an_empty_frame(tmp_path: Path):
    frame = read_records(tmp_path / "records.jsonl")
    assert len(frame) == 0 and set(RECORD_COLUMNS) <= set(frame.columns)


# what is broken, words that the sentence must hold
BAD = {
    "no run.json": (lambda p: (p / "run.json").unlink(), "is not a run directory"),
    "no JSON": (lambda p: (p / "run.json").write_text("{"), "is damaged"),
    "no text": (lambda p: (p / "run.json").write_bytes(b"\xff\xfe\x00"), "is damaged"),
    "a list": (lambda p: (p / "run.json").write_text("[]"), "is damaged"),
    "no stages": (lambda p: (p / "run.json").write_text('{"class_names": {}}'), "is damaged"),
    "no stage": (lambda p: (p / "stage1.safetensors").unlink(), "has no finished stage"),
}


@pytest.mark.parametrize(("damage", "words"), BAD.values(), ids=BAD.keys())
def test_a_damaged_run_is_told(run_folder: Path, damage: Callable[[Path], object], words: str):
    damage(run_folder)
    with pytest.raises(InputError, match=words) as caught:
        Run(run_folder)
    assert str(run_folder) in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        b'{"stage": 1',  # cut short
        b"5",  # JSON, but no object
        b"\xff\xfe",  # no text
    ],
)
def test_a_damaged_record_is_told_by_its_file(run_folder: Path, line: bytes):
    with (run_folder / "records.jsonl").open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(InputError, match=r"records\.jsonl.*expected one JSON object a line"):
        Run(run_folder).records()


def test_a_line_that_is_being_written_is_passed_over(run_folder: Path, caplog):
    path = run_folder / "records.jsonl"
    whole = Run(run_folder).records()
    append_records(path, [ROW])
    content = path.read_bytes()
    for cut in (1, 2, 20):
        path.write_bytes(content[:-cut])
        found = Run(run_folder).records()
        assert len(found) == len(whole) + (cut == 1)
    assert "line 2 ends in the middle and is passed over" in caplog.text


def test_a_damaged_latency_file_is_told(run_folder: Path):
    (run_folder / "latency.json").write_text("{")
    with pytest.raises(InputError, match=r"latency\.json"):
        Run(run_folder).latency()


def test_json_is_written_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "deep" / "a.json"
    write_json(path, {"name": "größe"})
    with pytest.raises(TypeError):
        write_json(path, {"name": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "größe"}
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]
