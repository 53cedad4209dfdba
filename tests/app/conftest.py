from __future__ import annotations

import numpy as np
import pytest
from stand_in import StandInEngine, make_run

from app.services.engines import EngineShelf
from app.services.runs import RunShelf
from app.site import Site


@pytest.fixture
def site(tmp_path) -> Site:
    runs = [make_run(tmp_path, "keeps"), make_run(tmp_path, "forgets", "finetune")]
    return Site(RunShelf(runs), EngineShelf(StandInEngine))


@pytest.fixture
def image() -> np.ndarray:
    y, x = np.mgrid[:90, :120]
    return np.stack([x * 2, y * 2, x + y], axis=2).astype(np.uint8)
