"""Kinds of finding (`SHAPES`), each a pattern about a centre: how it changes pixels, and which.

A pattern is a share of the finding's contrast per pixel: positive is brighter. Each shape takes
the pixels' offsets from its centre and its radius in mm; edges are one pixel wide, as partial
volume makes them. What lies outside the brain is cut off, and pixels outside a finding's mask are
not changed at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rarelens.errors import RarelensError
from rarelens.studies.data.simulation.anatomy import Mask, smooth_noise
from rarelens.studies.settings.classification.datasets import SimulateFindings

Pattern = NDArray[np.float64]

VISIBLE = 0.25  # the least share of the contrast that counts as affected
ROUGHNESS = 0.25  # how far an irregular edge is pushed in and out, in log units
RIM = 0.35  # thickness of a ring's rim, a share of its radius
WALL = 0.6  # contrast of a cavity's wall, a share of its own
DOTS = (8, 16)  # fewest and most in a cluster of speckles
DOT = 0.6  # radius of a speckle, pixels
STREAK = 0.12  # half the width of a streak, a share of its half length
BEND = 0.3  # greatest sagitta of a streak, a share of its half length
WEDGE = (0.4, 0.8)  # half the angle of a shadow, radians


@dataclass(frozen=True)
class Place:
    """Where a finding is drawn.

    Attributes:
        inside: where findings may be, (rows, columns).
        offsets: (2, rows, columns), of each pixel from the centre, mm.
        pixel: its side, mm.
        radius: of the finding, mm.
    """

    inside: Mask
    offsets: NDArray[np.float64]
    pixel: float
    radius: float

    @property
    def distance(self) -> NDArray[np.float64]:
        """Of each pixel from the centre, mm."""
        return np.asarray(np.hypot(*self.offsets))

    def fill(self, depth: NDArray[np.float64]) -> Pattern:
        """How far each pixel is filled (0–1) that lies ``depth`` mm within an edge."""
        return np.clip(depth / self.pixel + 0.5, 0, 1)

    def turned(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Offsets along and across a random direction, mm."""
        angle = rng.uniform(0, 2 * np.pi)
        y, x = self.offsets
        along = np.cos(angle) * x + np.sin(angle) * y
        return along, np.cos(angle) * y - np.sin(angle) * x


Shape = Callable[[Place, np.random.Generator], tuple[Pattern, Mask]]


def check_shapes(name: str, settings: SimulateFindings) -> None:
    """Refuse findings of a dataset whose shapes there are not.

    Raises:
        RarelensError: for each.
    """
    unknown = {key: f.shape for key, f in settings.findings.items() if f.shape not in SHAPES}
    if unknown:
        raise RarelensError(
            *(
                f"params.yaml: datasets.{name}.simulate.findings.{key}.shape: there is no "
                f"{shape!r}; choose one of {', '.join(sorted(SHAPES))}"
                for key, shape in unknown.items()
            )
        )


def _with_mask(draw: Callable[[Place, np.random.Generator], Pattern]) -> Shape:
    """A shape whose mask is where its pattern can be seen."""

    def shape(place: Place, rng: np.random.Generator) -> tuple[Pattern, Mask]:
        pattern = draw(place, rng)
        mask = (np.abs(pattern) >= VISIBLE) & place.inside
        return np.where(mask, pattern, 0), mask

    return shape


@_with_mask
def _mass(place: Place, rng: np.random.Generator) -> Pattern:
    """A bright solid blob with an irregular edge."""
    return place.fill(place.radius - _rough(place, rng))


@_with_mask
def _nodule(place: Place, _: np.random.Generator) -> Pattern:
    """A bright ball: brightest in its middle, as deep as it is wide."""
    height = np.sqrt(np.clip(1 - (place.distance / place.radius) ** 2, 0, 1))
    return np.maximum(height, 0.5) * place.fill(place.radius - place.distance)


@_with_mask
def _ring(place: Place, _: np.random.Generator) -> Pattern:
    """A bright rim around unchanged tissue."""
    half = max(RIM * place.radius, place.pixel) / 2
    return place.fill(half - np.abs(place.distance - (place.radius - half)))


@_with_mask
def _cavity(place: Place, rng: np.random.Generator) -> Pattern:
    """A dark centre within a thin, fainter bright wall."""
    rough = _rough(place, rng)
    inner = max(place.radius - place.pixel, place.pixel / 2)
    hole = place.fill(inner - rough)
    return WALL * (place.fill(place.radius - rough) - hole) - hole


@_with_mask
def _speckles(place: Place, rng: np.random.Generator) -> Pattern:
    """A cluster of tiny bright dots, one of them in the centre."""
    count = int(rng.integers(*DOTS, endpoint=True))
    angles, reach = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
    brightness = rng.uniform(0.6, 1, count)
    reach[0] = 0
    centres = place.radius * reach * np.stack([np.sin(angles), np.cos(angles)])
    pattern = np.zeros(place.distance.shape)
    for centre, bright in zip(centres.T, brightness, strict=True):
        distance = np.hypot(*(place.offsets - centre.reshape(2, 1, 1)))
        pattern = np.maximum(pattern, bright * place.fill(DOT * place.pixel - distance))
    return pattern


@_with_mask
def _streak(place: Place, rng: np.random.Generator) -> Pattern:
    """A thin, bright, slightly bent band, twice the radius long."""
    along, across = place.turned(rng)
    bend = rng.uniform(-BEND, BEND) / place.radius
    half = max(STREAK * place.radius, place.pixel / 2)
    ends = place.fill(place.radius - np.abs(along))
    return ends * place.fill(half - np.abs(across - bend * along**2))


@_with_mask
def _shadow(place: Place, rng: np.random.Generator) -> Pattern:
    """A broad dark wedge that fades towards its far end."""
    along, across = place.turned(rng)
    along = along + place.radius / 2  # the centre lies within, not at the tip
    half = rng.uniform(*WEDGE)
    reach = np.hypot(along, across)
    side = along * np.sin(half) - np.abs(across) * np.cos(half)  # depth within the wedge, mm
    fade = np.clip(1.5 - 0.75 * reach / place.radius, 0, 1)
    return -fade * place.fill(side)


def _mottling(place: Place, rng: np.random.Generator) -> tuple[Pattern, Mask]:
    """A patch of coarse-grained noise of standard deviation 1 that leaves the mean as it is."""
    mask = (_rough(place, rng) < place.radius) & place.inside
    grain = np.where(mask, smooth_noise(mask.shape, 0.5, rng), 0)
    grain -= mask * grain.sum() / mask.sum()
    deviation = np.sqrt((grain**2).sum() / mask.sum())
    return grain / max(deviation, 1e-9), mask


def _rough(place: Place, rng: np.random.Generator) -> NDArray[np.float64]:
    """Distance from the centre, mm, under a random stretch and smooth noise."""
    noise = smooth_noise(place.distance.shape, max(place.radius / place.pixel / 2, 0.5), rng)
    return np.asarray(place.distance * np.exp(ROUGHNESS * np.clip(noise, -2, 2)))


SHAPES: dict[str, Shape] = {
    "mass": _mass,
    "nodule": _nodule,
    "ring": _ring,
    "cavity": _cavity,
    "speckles": _speckles,
    "streak": _streak,
    "shadow": _shadow,
    "mottling": _mottling,
}
"""By what a finding's ``shape`` says: each draws a pattern and its mask, both (rows, columns)."""
