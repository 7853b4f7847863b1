"""Read every case of a collection and report all that is wrong with it, before anything runs."""

from __future__ import annotations

import numpy as np

from rarelens.errors import RarelensError
from rarelens.studies.data.segmentation.collection import (
    Affine,
    CaseFiles,
    Collection,
    grid_difference,
    load_images,
    load_label,
)

Grid = tuple[tuple[int, ...], Affine]


def find_problems(collection: Collection) -> list[str]:
    """Check all images and labels, one case in memory at a time; the sentences of `problems_of`."""
    return [problem for case in collection.cases for problem in problems_of(case, collection)]


def problems_of(case: CaseFiles, collection: Collection) -> list[str]:
    """Read a case's files.

    Returns:
        A sentence naming case and file for each file that is unreadable, lies on another grid
        than the case's other files (tolerance `AFFINE_TOLERANCE`), has
        a singular affine, NaN or infinite voxels, a wrong number of channels, values that are
        not declared, or no foreground.
    """
    grid, problems = _image_problems(case, len(collection.channels))
    problems += _label_problems(case, len(collection.classes), grid)
    return [f"{case.case}: {problem}" for problem in problems]


def _image_problems(case: CaseFiles, channels: int) -> tuple[Grid | None, list[str]]:
    try:
        image, affine = load_images(case.images)
    except RarelensError as error:
        return None, list(error.problems)
    grid = image.shape[1:], affine
    if len(image) != channels:
        files = ", ".join(str(file) for file in case.images)
        return grid, [
            f"{files}: {len(image)} channels, but dataset.json declares {channels}; "
            "correct one of them"
        ]
    return grid, []


def _label_problems(case: CaseFiles, classes: int, grid: Grid | None) -> list[str]:
    if case.label is None:
        return []
    try:
        labels, affine = load_label(case.label)
    except RarelensError as error:
        return list(error.problems)
    problems = []
    if grid is not None:
        other = grid_difference(labels.shape, affine, *grid)
        if other:
            problems.append(f"{case.label}: {other} its image {case.images[0]}; give both one grid")
    values = np.unique(labels)
    undeclared = ", ".join(str(value) for value in values[values >= classes])
    if undeclared:
        problems.append(
            f"{case.label}: label values {undeclared} are not declared in dataset.json "
            f"(0 to {classes - 1}); declare or correct them"
        )
    if not values.any():
        problems.append(f"{case.label}: empty foreground (all voxels are 0); leave the case out")
    return problems
