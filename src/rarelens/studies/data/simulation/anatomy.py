"""A subject's anatomy: the MNI152 template under a random affine and elastic warp.

The template is the skull-stripped ICBM 2009a average that nilearn carries in its package
(Fonov et al., NeuroImage 54, 2011), so nothing is downloaded. What is random here is geometry
and appearance; lesions and findings are drawn into it by each task's
own ``simulation``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from rarelens.studies.settings.datasets import VirtualSubjects

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

MARGIN = 10.0  # mm around the template's brain, room for the warped one
BLUR = 0.425  # standard deviation over full width at half maximum of a Gaussian
BIAS_SMOOTHNESS = 50.0  # mm


@dataclass(frozen=True)
class Template:
    """The 1 mm template, and the grid that subjects are drawn on.

    Attributes:
        image: T1 intensity, shape (X, Y, Z) of the template, maximum about 1, 0 outside the brain.
        brain: 1 inside the brain, 0 outside, as the image.
        tissue: probability of grey or white matter, as the image.
        origin: mm, position of the template's first voxel; its axes are RAS+.
        affine: (4, 4), from the subjects' voxels to mm.
        shape: of the subjects' grid.
    """

    image: Volume
    brain: Volume
    tissue: Volume
    origin: NDArray[np.float64]
    affine: NDArray[np.float64]
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Anatomy:
    """Intensity without lesions, brain mask and tissue mask, all (X, Y, Z) of a subject's grid."""

    image: Volume
    brain: Mask
    tissue: Mask


def load_template(spacing: float) -> Template:
    """Load the packaged template, blurred to what a voxel of ``spacing`` mm would average."""
    from nilearn.datasets import (
        load_mni152_gm_template,
        load_mni152_template,
        load_mni152_wm_template,
    )

    source = load_mni152_template()
    image = np.asarray(source.dataobj, np.float32)
    tissue = sum(
        np.asarray(load().dataobj, np.float32)
        for load in (load_mni152_gm_template, load_mni152_wm_template)
    )
    brain = (image > 0).astype(np.float32)
    inside = np.argwhere(brain)
    origin = np.asarray(source.affine[:3, 3], np.float64)
    lower, upper = inside.min(0) + origin - MARGIN, inside.max(0) + origin + MARGIN
    sizes = np.ceil((upper - lower) / spacing).astype(int)
    sigma = BLUR * np.sqrt(max(spacing**2 - 1, 0))
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = lower
    return Template(
        image=gaussian_filter(image, sigma),
        brain=brain,
        tissue=gaussian_filter(tissue, sigma),
        origin=origin,
        affine=affine,
        shape=(int(sizes[0]), int(sizes[1]), int(sizes[2])),
    )


def draw_anatomy(
    template: Template, settings: VirtualSubjects, rng: np.random.Generator
) -> Anatomy:
    """Sample the template under a random rotation, scaling and smooth displacement."""
    linear = draw_linear(settings, rng)
    sigma = settings.warp_smoothness / settings.spacing
    elastic = np.stack([smooth_noise(template.shape, sigma, rng) for _ in range(3)])
    grid = np.indices(template.shape).astype(np.float64)
    return warp(template, settings, linear, grid, settings.warp * elastic)


def draw_linear(settings: VirtualSubjects, rng: np.random.Generator) -> NDArray[np.float64]:
    """A random rotation and scaling, (3, 3)."""
    angles = rng.uniform(-settings.rotation, settings.rotation, 3)
    scales = 1 + rng.uniform(-settings.scaling, settings.scaling, 3)
    return np.asarray(Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * scales)


def warp(
    template: Template,
    settings: VirtualSubjects,
    linear: NDArray[np.float64],
    grid: NDArray[np.float64],
    elastic: NDArray[np.float64],
) -> Anatomy:
    """Sample the template at warped places.

    Args:
        template: where from.
        settings: for the spacing of the subject's grid.
        linear: rotation and scaling about the grid's middle, (3, 3).
        grid: places in voxels of the subject's grid, (3, X, Y, Z).
        elastic: displacement at each of them in mm, (3, X, Y, Z).
    """
    middle = np.reshape(template.shape, (3, 1, 1, 1)) / 2
    offsets = (grid - middle) * settings.spacing
    centre = template.affine[:3, 3] - template.origin + middle[:, 0, 0, 0] * settings.spacing
    moved = np.einsum("ij,jxyz->ixyz", linear, offsets) + elastic
    voxels = moved + np.reshape(centre, (3, 1, 1, 1))
    image, brain, tissue = (
        map_coordinates(volume, voxels, order=1)
        for volume in (template.image, template.brain, template.tissue)
    )
    inside = brain > 0.5
    return Anatomy(np.where(inside, image, 0), inside, (tissue > 0.5) & inside)


def draw_appearance(
    image: Volume, brain: Mask, settings: VirtualSubjects, rng: np.random.Generator
) -> Volume:
    """Change an image's contrast, then add a bias field and noise; 0 outside the brain.

    The contrast curve is t ↦ t^γ with log γ uniform in ±``contrast_change``: monotone, so that
    what was darker stays darker.
    """
    gamma = np.exp(rng.uniform(-settings.contrast_change, settings.contrast_change))
    field = smooth_noise(image.shape, BIAS_SMOOTHNESS / settings.spacing, rng)
    bias = 1 + settings.bias_field * field / np.abs(field).max()
    noise = settings.noise * rng.standard_normal(image.shape)
    changed = image**gamma * bias + noise
    # Above 0 within the brain, for the brain's mask is taken from the non-zero voxels.
    return np.where(brain, np.maximum(changed, 0.01), 0).astype(np.float32)


def smooth_noise(
    shape: tuple[int, ...], sigma: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Gaussian noise of mean 0 and variance 1, correlated over ``sigma`` voxels."""
    noise = gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap")
    return np.asarray((noise - noise.mean()) / noise.std())
