"""Cores that a container really has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mtl_core.onnx_graphs.processor import available_cores


@pytest.mark.parametrize(
    ("quota", "limit"),
    [
        ("200000 100000\n", 2),
        ("50000 100000\n", 1),  # half a core still needs one thread
        ("max 100000\n", 10_000),
        ("", 10_000),
    ],
)
def test_a_containers_quota_counts(tmp_path: Path, quota: str, limit: int):
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    host = available_cores(tmp_path / "none")
    assert 1 <= host <= (os.cpu_count() or 1)
    assert available_cores(file) == min(host, limit)
