"""The shapes and textures that rendered scenes are made of.

Shapes are signed distances (negative inside), after I. Quilez,
https://iquilezles.org/articles/distfunctions2d/; so edges are smooth and masks exact.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# ---- shapes: functions of x, y in units of the object's radius, negative inside ----


def _disc(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(np.hypot(x, y) - 1)


def _ring(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(np.hypot(x, y) - 0.72) - 0.28)


def _triangle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    angles = np.pi / 2 + np.arange(3) * 2 * np.pi / 3
    return np.asarray(np.max([x * np.cos(a) + y * np.sin(a) for a in angles], axis=0) - 0.5)


def _cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = np.abs(x), np.abs(y)
    return np.asarray(np.minimum(np.maximum(x - 1, y - 0.32), np.maximum(x - 0.32, y - 1)))


def _star(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    half = np.pi / 5
    angle = np.abs((np.arctan2(y, x) + half) % (2 * half) - half)
    radius = np.hypot(x, y)
    # Within a tenth of the turn the outline is one straight line, from a tip to a notch.
    notch_x, notch_y = 0.45 * np.cos(half), 0.45 * np.sin(half)
    length = np.hypot(1 - notch_x, notch_y)
    across = (radius * np.cos(angle) - 1) * notch_y + radius * np.sin(angle) * (1 - notch_x)
    return np.asarray(across / length)


def _square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(np.abs(x), np.abs(y)) - 0.75)


def _bar(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(np.hypot(np.maximum(np.abs(x) - 0.93, 0), y) - 0.07)


# ---- textures: brightness around 1, in the object's own coordinates ----


def _shaded(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return 1.25 - 0.55 * np.clip(np.hypot(x + 0.3, y + 0.3), 0, 1.3)


def _striped(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return 1 + 0.35 * np.sign(np.sin(x * rng.uniform(9, 14)))


def _checked(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    frequency = rng.uniform(8, 12)
    return np.asarray(1 + 0.35 * np.sign(np.sin(x * frequency) * np.sin(y * frequency)))


def _speckled(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return 1 + 0.28 * rng.standard_normal(x.shape)


def _plain(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.ones_like(x)


Shape = Callable[[np.ndarray, np.ndarray], np.ndarray]
Texture = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]

# Every kind has a shape and a texture of its own; colour, size and rotation say nothing.
KINDS: dict[str, tuple[Shape, Texture]] = {
    "triangle": (_triangle, _striped),
    "disc": (_disc, _shaded),
    "star": (_star, _speckled),
    "ring": (_ring, _plain),
    "cross": (_cross, _checked),
}
KIND_NAMES = list(KINDS)
DECOYS: list[tuple[Shape, Texture]] = [(_square, _plain), (_bar, _plain), (_square, _shaded)]


def area_px(shape: Shape, radius_px: float) -> float:
    """Pixels that a shape covers when nothing cuts it."""
    y, x = np.mgrid[-1.0:1.0:65j, -1.0:1.0:65j]
    return float((shape(x, y) < 0).mean()) * (2 * radius_px) ** 2
