"""Backbone weights to begin with, and one uninterrupted run of the tiny preset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mtl_core.tasks.data_roots import DataRoots
from training.train import Options, main


@pytest.fixture(scope="session")
def options(rendered: DataRoots, backbone_file: Path) -> Callable[..., Options]:
    """Options of a tiny run, in this process and on one thread."""

    def make(out: Path, **changes: object) -> Options:
        plain = {"data": rendered["seg"].parent, "preset": "tiny", "init": str(backbone_file)}
        return Options(out=out, **{**plain, "workers": 0, "threads": 1, **changes})

    return make


@pytest.fixture(scope="session")
def whole_run(options: Callable[..., Options], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three stages without a stop; not to be changed."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    main(options(out))
    return out
