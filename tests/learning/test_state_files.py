"""Files that a resume reads: whole, or the one before, or a sentence; and one writer a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mtl_core.learning.state_files import Writer, last_state, read_state, write_state
from mtl_core.types import InputError

CPU = torch.device("cpu")


def damaged(content: bytes) -> list[bytes]:
    flipped = bytearray(content)
    flipped[len(flipped) // 2] ^= 1
    return [b"", content[:-1], content[: len(content) // 2], bytes(flipped), b"not a state"]


def test_a_state_comes_back(tmp_path: Path):
    path = tmp_path / "state" / "a.pt"
    write_state(path, {"weights": torch.arange(5), "number": 3, "none": None})
    found = read_state(path, CPU)
    assert torch.equal(found["weights"], torch.arange(5)) and found["number"] == 3
    assert [p.name for p in path.parent.iterdir()] == ["a.pt"]


@pytest.mark.parametrize("kind", range(5))
def test_a_damaged_state_gives_way_to_the_one_before(tmp_path: Path, kind: int):
    path = tmp_path / "state" / "resume.pt"
    for number in (1, 2):
        write_state(path, {"number": number})
    path.write_bytes(damaged(path.read_bytes())[kind])
    with pytest.raises(InputError, match="damaged"):
        read_state(path, CPU)
    with pytest.warns(UserWarning, match="The state before it is taken"):
        assert last_state(tmp_path, CPU)["number"] == 1
    before = path.with_name("resume.pt.previous")
    before.write_bytes(damaged(before.read_bytes())[kind])
    with pytest.warns(UserWarning, match="taken"), pytest.raises(InputError, match="damaged"):
        last_state(tmp_path, CPU)


def test_nothing_to_go_on_with_is_said(tmp_path: Path):
    with pytest.raises(InputError, match="there is nothing to --resume"):
        last_state(tmp_path / "mistyped", CPU)


HOLD = """
import sys, time
from pathlib import Path
from mtl_core.learning.state_files import Writer
writer = Writer(Path(sys.argv[1]))
print("holds", flush=True)
time.sleep(60)
"""


def test_a_run_has_one_writer(tmp_path: Path):
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None and other.stdout.readline() == "holds\n"
    try:
        with pytest.raises(InputError, match=f"is being written by process {other.pid}"):
            Writer(tmp_path)
    finally:
        other.kill()
        other.wait()
    Writer(tmp_path).close()  # whoever was killed holds nothing
