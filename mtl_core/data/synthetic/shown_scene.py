"""One rendered scene on which to watch a network: every kind once, one of them far the largest."""

from __future__ import annotations

import numpy as np

from mtl_core.data.synthetic.scene import Scene
from mtl_core.data.synthetic.shapes import KIND_NAMES

RADII = (0.27, 0.11, 0.1, 0.12, 0.1)  # shares of the longer side


def shown_scene(size_px: int = 384, seed: int = 9) -> np.ndarray:
    """The scene, H x W x 3 uint8; no rendered set holds it.

    Args:
        size_px: length of the longer side.
        seed: another seed gives another scene.
    """
    scene = Scene.with_background(3 * size_px // 4, size_px, np.random.default_rng(seed))
    for kind, radius in zip(np.roll(range(len(KIND_NAMES)), -seed), RADII, strict=True):
        scene.place(int(kind), radius * size_px)
    return scene.image()
