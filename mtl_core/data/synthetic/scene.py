"""One rendered scene: textured background, decoys, and objects that may cover one another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from mtl_core.data.synthetic.shapes import DECOYS, KIND_NAMES, KINDS, Shape, Texture, area_px

# An object that would show less of itself than this is not placed, nor one that would hide
# another that far: what cannot be recognised should not be asked for.
_MIN_VISIBLE_SHARE = 0.55


@dataclass(frozen=True)
class Instance:
    """One labelled thing: its index into ``KIND_NAMES``, its visible pixels, and whether a crowd.

    ``visible`` is H x W bool.
    """

    kind: int
    visible: np.ndarray
    crowd: bool = False

    def box_xywh(self) -> tuple[int, int, int, int]:
        """The box around the visible pixels: left, top, width, height in pixels."""
        rows = np.flatnonzero(self.visible.any(1))
        columns = np.flatnonzero(self.visible.any(0))
        left, top = int(columns[0]), int(rows[0])
        return left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top


@dataclass
class Scene:
    """An image in the making, H x W x 3 float32 in 0..1, and what has been placed on it."""

    pixels: np.ndarray
    rng: np.random.Generator
    kinds: list[int] = field(default_factory=list)
    crowds: list[bool] = field(default_factory=list)
    # H x W int32: 0 where nothing labelled shows, else 1 + the position of the thing in `kinds`.
    owner: np.ndarray = field(init=False)
    # Pixels that each thing covered when it was placed, some perhaps hidden since.
    _full_area_px: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.owner = np.zeros(self.pixels.shape[:2], np.int32)

    @staticmethod
    def with_background(height: int, width: int, rng: np.random.Generator) -> Scene:
        """A scene that shows nothing but a texture and a few decoys."""
        scene = Scene(_background(height, width, rng), rng)
        for _ in range(rng.integers(0, 4)):
            shape, texture = DECOYS[rng.integers(len(DECOYS))]
            radius_px = rng.uniform(0.06, 0.22) * max(height, width)
            scene._paint(*scene._stencil(shape, radius_px, *scene._somewhere()), texture)
        return scene

    def place(self, kind: int, radius_px: float) -> bool:
        """Puts an object on top, where enough of it and of all below shows; False if nowhere."""
        shape, texture = KINDS[KIND_NAMES[kind]]
        for _ in range(12):
            stencil = self._stencil(shape, radius_px, *self._somewhere())
            if self._add(stencil[0] < 0, kind, crowd=False, whole_px=area_px(shape, radius_px)):
                self._paint(*stencil, texture)
                return True
        return False

    def place_crowd(self, kind: int, radius_px: float, count: int) -> bool:
        """A huddle of ``count`` small objects that is labelled as one crowd; False if no room."""
        shape, texture = KINDS[KIND_NAMES[kind]]
        centre = np.array(self._somewhere())
        reach_px = 1.3 * radius_px * np.sqrt(count)
        spots = centre + self.rng.uniform(-reach_px, reach_px, (count, 2))
        stencils = [self._stencil(shape, radius_px, *spot) for spot in spots]
        inside = np.any([stencil[0] < 0 for stencil in stencils], axis=0)
        whole_px = area_px(shape, radius_px) * count / 2
        if not self._add(inside, kind, crowd=True, whole_px=whole_px):
            return False
        for stencil in stencils:
            self._paint(*stencil, texture)
        return True

    def instances(self) -> list[Instance]:
        """What was placed, in order from the bottom up."""
        things = enumerate(zip(self.kinds, self.crowds, strict=True), start=1)
        return [Instance(kind, self.owner == i, crowd) for i, (kind, crowd) in things]

    def mask(self) -> np.ndarray:
        """H x W uint8: 0 for background, 1 + kind, and 255 along every outline as VOC has it."""
        values = np.array([0, *(kind + 1 for kind in self.kinds)], np.uint8)
        ids: np.ndarray = values[self.owner]
        down = self.owner[1:] != self.owner[:-1]
        right = self.owner[:, 1:] != self.owner[:, :-1]
        for edge, one, other in (
            (down, ids[1:], ids[:-1]),
            (right, ids[:, 1:], ids[:, :-1]),
        ):
            one[edge] = 255
            other[edge] = 255
        return ids

    def image(self) -> np.ndarray:
        """H x W x 3 uint8 with a little light falling off to one side, and sensor noise."""
        height, width = self.owner.shape
        slope = self.rng.uniform(-0.2, 0.2, 2)
        y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j]
        light = 1 + slope[0] * x + slope[1] * y
        noise = self.rng.normal(0, 0.015, self.pixels.shape)
        lit = np.clip(self.pixels * light[..., None] + noise, 0, 1)
        return np.asarray(lit * 255, np.uint8)

    def _add(self, inside: np.ndarray, kind: int, crowd: bool, whole_px: float) -> bool:
        shown = np.bincount(self.owner[~inside], minlength=len(self.kinds) + 1)[1:]
        hidden = shown < _MIN_VISIBLE_SHARE * np.array(self._full_area_px, float)
        if inside.sum() < _MIN_VISIBLE_SHARE * whole_px or hidden.any():
            return False
        self.kinds.append(kind)
        self.crowds.append(crowd)
        self._full_area_px.append(int(inside.sum()))
        self.owner[inside] = len(self.kinds)
        return True

    def _somewhere(self) -> tuple[float, float]:
        height, width = self.owner.shape
        return self.rng.uniform(0, width), self.rng.uniform(0, height)

    def _stencil(
        self, shape: Shape, radius_px: float, centre_x: float, centre_y: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Signed distance in pixels, and the turned coordinates x and y in radii."""
        height, width = self.owner.shape
        y, x = np.mgrid[:height, :width].astype(np.float32) + 0.5
        turn = self.rng.uniform(0, 2 * np.pi)
        x, y = (x - centre_x) / radius_px, (y - centre_y) / radius_px
        x, y = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
        return shape(x, y) * radius_px, x, y

    def _paint(
        self, distance_px: np.ndarray, x: np.ndarray, y: np.ndarray, texture: Texture
    ) -> None:
        cover = np.clip(0.5 - distance_px, 0, 1)
        ground = (self.pixels * cover[..., None]).sum((0, 1)) / max(cover.sum(), 1e-6)
        brightness = texture(x, y, self.rng) * np.where(distance_px > -1.5, 0.75, 1)
        paint = _colour_unlike(ground, self.rng) * brightness[..., None]
        self.pixels = self.pixels + cover[..., None] * (np.clip(paint, 0, 1) - self.pixels)


def _colour_unlike(ground: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random colour that stands out from ``ground`` (RGB in 0..1)."""
    candidates = rng.uniform(0.1, 0.95, (16, 3))
    distances = np.linalg.norm(candidates - ground, axis=1)
    clear = np.flatnonzero(distances > 0.5)
    return np.asarray(candidates[clear[0] if len(clear) else distances.argmax()])


def _background(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """One of five textures between two random colours, H x W x 3 float32."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    turn = rng.uniform(0, np.pi)
    along = x * np.cos(turn) + y * np.sin(turn)
    across = y * np.cos(turn) - x * np.sin(turn)
    frequency = rng.uniform(15, 60)
    noise = _cloud(height, width, rng)
    pattern: dict[str, Callable[[], np.ndarray]] = {
        "clouds": lambda: noise,
        "gradient": lambda: 0.5 + 0.5 * along,
        "stripes": lambda: 0.5 + 0.5 * np.sin(along * frequency),
        "checks": lambda: (
            0.5 + 0.5 * np.sign(np.sin(along * frequency) * np.sin(across * frequency))
        ),
        "grain": lambda: 0.5 + 0.2 * rng.standard_normal((height, width)),
    }
    chosen = pattern[list(pattern)[rng.integers(len(pattern))]]()
    mix = np.clip(0.75 * chosen + 0.25 * noise, 0, 1)[..., None]
    first = rng.uniform(0.1, 0.9, 3)
    second = np.clip(first + rng.uniform(-0.35, 0.35, 3), 0, 1)
    return np.asarray(first * mix + second * (1 - mix), np.float32)


def _cloud(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise in 0..1 of four octaves, H x W."""
    total = np.zeros((height, width))
    for octave in range(4):
        cells = 2 ** (octave + 2)
        grid = Image.fromarray(rng.random((cells, cells)).astype(np.float32))
        smooth = grid.resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(smooth) / 2**octave
    return np.asarray((total - total.min()) / max(float(np.ptp(total)), 1e-6))
