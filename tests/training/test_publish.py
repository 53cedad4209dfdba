"""Published runs: no resume state, and every equal checkpoint once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mtl_core.runs.run_directory import Run
from mtl_core.runs.sealed_json import write_sealed
from mtl_core.types import InputError
from training.publish import Options, main


@pytest.fixture
def twins(whole_run: Path, tmp_path: Path) -> list[Path]:
    """Two runs with the same first two stages."""
    found = []
    for name in ("one", "two"):
        shutil.copytree(whole_run, tmp_path / name)
        found.append(tmp_path / name)
    with (found[1] / "stage3.safetensors").open("ab") as file:
        file.write(b" ")  # as good as another training for this purpose
    return found


def test_equal_checkpoints_are_stored_once_and_found_again(twins: list[Path], tmp_path: Path):
    out = tmp_path / "published"
    main(Options(tuple(twins), out, ("first", "second")))
    first, second = Run(out / "first"), Run(out / "second")
    assert [s.weights.parent.name for s in first.stages] == ["first"] * 3
    assert [s.weights.parent.name for s in second.stages] == ["first", "first", "second"]
    assert {p.name for p in (out / "second").iterdir()} == {
        "run.json",
        "stage3.safetensors",
        "records.jsonl",
        "verdicts.json",
        "regressions.json",
        "predictions",
    }
    assert second.records().equals(Run(twins[1]).records())
    assert second.verdicts() == Run(twins[1]).verdicts()


def test_a_copy_is_never_laid_over_another(twins: list[Path], tmp_path: Path):
    with pytest.raises(InputError, match="exists"):
        main(Options((twins[0],), tmp_path, ("two",)))
    with pytest.raises(InputError, match="--names has 1 names, expected 2"):
        main(Options(tuple(twins), tmp_path / "out", ("a",)))


@pytest.mark.parametrize("named", ["../secret", "/etc/passwd", "a/b/c", "a/..", "..", 5])
def test_a_manifest_cannot_point_elsewhere(twins: list[Path], named: object):
    manifest = Run(twins[0]).manifest | {"stage_files": {"2": named}}
    write_sealed(twins[0] / "run.json", manifest)
    (twins[0] / "stage2.safetensors").unlink()
    with pytest.raises(InputError, match="stage_files"):
        Run(twins[0])
