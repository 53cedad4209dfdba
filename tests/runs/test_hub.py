"""A run by its directory or its Hub id."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtl_core.runs.hub import NoRun, open_run
from mtl_core.runs.sealed_json import write_json


def make_run(folder: Path) -> Path:
    stages = [{"task": "seg"}, {"task": "det"}]
    write_json(folder / "run.json", {"config": {"stages": stages}, "class_names": {"seg": ["a"]}})
    (folder / "stage1.safetensors").touch()
    return folder


def test_a_directory_goes_before_a_repository_of_its_name(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "owner" / "name")
    monkeypatch.setattr("huggingface_hub.snapshot_download", None)
    assert open_run("owner/name").name == "name"


def test_of_a_repository_only_the_files_of_a_run_are_fetched(tmp_path: Path, monkeypatch):
    asked = []

    def download(repository: str, allow_patterns: list[str]) -> str:
        asked.append((repository, allow_patterns))
        return str(make_run(tmp_path))

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    run = open_run("owner/name")
    assert run.name == "owner/name" and [stage.number for stage in run.stages] == [1]
    [(repository, patterns)] = asked
    assert repository == "owner/name"
    assert {"run.json", "stage*.safetensors"} <= set(patterns)
    assert not any("state" in pattern or pattern.startswith("*") for pattern in patterns)


def test_what_is_no_run_is_refused_with_its_reason(tmp_path: Path, monkeypatch):
    def gone(*args, **options):
        raise ConnectionError

    monkeypatch.setattr("huggingface_hub.snapshot_download", gone)
    with pytest.raises(NoRun, match=r"owner/name.*ConnectionError.*expected") as refused:
        open_run("owner/name")
    assert refused.value.reason == "ConnectionError"
    with pytest.raises(NoRun, match="expected a directory") as refused:
        open_run(tmp_path)
    assert refused.value.reason is None
