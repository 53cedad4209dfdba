"""A small rendered set, and a copy of it for tests that break something."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mtl_core.tasks.data_roots import DataRoots, data_roots
from mtl_core.tasks.rendered_sets import render_dataset


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> DataRoots:
    """Twelve training and six validation images a task, 64 px; not to be changed."""
    return render_dataset(tmp_path_factory.mktemp("scenes"), {"train": 12, "val": 6}, 64, seed=3)


@pytest.fixture
def own_scenes(scenes: DataRoots, tmp_path: Path) -> DataRoots:
    """The same set for one test alone, which may change it."""
    shutil.copytree(scenes["seg"].parent, tmp_path / "own")
    return data_roots(tmp_path / "own")
