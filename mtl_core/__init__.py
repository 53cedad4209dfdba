"""OneHead as a library: open a run, predict on an image.

    import mtl_core as onehead

    run = onehead.open_run("assets/runs/onehead")  # or a Hub id
    found = onehead.predict(run, "photo.jpg")  # or an H x W x 3 uint8 array
    print(found.boxes.names(found.names("boxes")), found.boxes.xyxy)

Importing it loads no PyTorch.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_core.types import InputError, Prediction

if TYPE_CHECKING:
    import numpy as np

    from mtl_core.engine.base import Engine
    from mtl_core.runs.run_directory import Run

__all__ = ["InputError", "Prediction", "open_run", "predict"]


def open_run(place: str | Path) -> Run:
    """A run by its directory or its Hub id (``owner/name``).

    Raises:
        InputError: there is no run at that place, or a file of it is damaged.
    """
    from mtl_core.runs.hub import open_run

    return open_run(place)


@lru_cache(maxsize=4)
def _engine(path: Path, written_ns: int) -> Engine:
    from mtl_core.engine import open_engine

    return open_engine(path)


def predict(
    network: Run | str | Path,
    image: np.ndarray | str | Path,
    stage: int = -1,
    score_threshold: float = 0.25,
) -> Prediction:
    """All tasks' answers for one image; the last few networks stay loaded.

    Args:
        network: a run, its directory or Hub id, or a checkpoint file (``.safetensors``).
        image: H x W x 3 uint8 RGB, or an image file.
        stage: of the run, from 1; negative ones count from its last.
        score_threshold: boxes below this score, in [0, 1], are left out.

    Raises:
        InputError: the network, the stage or the image is not one; the sentence says which.
    """
    import numpy as np

    from mtl_core.data.image_io import read_image

    if isinstance(network, str | Path) and str(network).endswith(".safetensors"):
        weights = Path(network)
    else:
        run = open_run(network) if isinstance(network, str | Path) else network
        weights = run.stage(stage).weights
    pixels = read_image(Path(image)) if isinstance(image, str | Path) else np.asarray(image)
    written_ns = weights.stat().st_mtime_ns if weights.is_file() else 0
    return _engine(weights.resolve(), written_ns).predict(pixels, score_threshold)
