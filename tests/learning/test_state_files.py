"""Files that a resume reads: whole, or the one before, or a sentence; and one writer a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mtl_core.learning.state_files import (
    LAST,
    PREVIOUS,
    Writer,
    last_state,
    read_state,
    write_state,
)
from mtl_core.types import InputError

CPU = torch.device("cpu")


def damaged(content: bytes) -> list[bytes]:
    flipped = bytearray(content)
    flipped[len(flipped) // 2] ^= 1
    return [b"", content[:-1], content[: len(content) // 2], bytes(flipped), b"not a state"]


def test_a_state_comes_back(tmp_path: Path):
    path = tmp_path / "state" / "a.safetensors"
    kernel = torch.rand(2, 3, 5, 5).to(memory_format=torch.channels_last)
    shared = torch.arange(5)
    state = {0: {"step": torch.tensor(3.0)}, "pair": [shared, shared], "kernel": kernel}
    write_state(path, {"state": state, "number": 3, "rate": 1e-30 / 3, "none": None})
    found = read_state(path, CPU)
    assert found["number"] == 3 and found["rate"] == 1e-30 / 3 and found["none"] is None
    assert found["state"][0]["step"] == 3 and torch.equal(found["state"]["pair"][1], shared)
    assert torch.equal(found["state"]["kernel"], kernel)
    assert found["state"]["kernel"].stride() == kernel.stride()
    assert [p.name for p in path.parent.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize("kind", range(5))
def test_a_damaged_state_gives_way_to_the_one_before(tmp_path: Path, kind: int):
    path = tmp_path / "state" / LAST
    for number in (1, 2):
        write_state(path, {"number": number})
    path.write_bytes(damaged(path.read_bytes())[kind])
    with pytest.raises(InputError, match="damaged"):
        read_state(path, CPU)
    with pytest.warns(UserWarning, match="The state before it is taken"):
        assert last_state(tmp_path, CPU)["number"] == 1
    before = path.with_name(LAST + PREVIOUS)
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
