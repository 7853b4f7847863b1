"""Which image serves what: test, validation, pool; and the training subsets of the pool.

Groups are drawn in an order that spreads their rare classes (`spread`), so that a class that few
groups have still finds its way into each side, and into small subsets.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.errors import RarelensError, refuse
from rarelens.studies.data.splits import (
    find_groups,
    nested_subset,
    pool_of,
    read_split_file,
    spread,
)
from rarelens.studies.settings.classification.datasets import ImageSplit

if TYPE_CHECKING:
    from rarelens.studies.data.classification.collection import ImageCollection, Official


def assign_image_splits(collection: ImageCollection, split: ImageSplit, raw: Path) -> pd.DataFrame:
    """Assign every image to test, validation or pool; a group is never parted.

    A split file in ``raw``, the dataset's folder, decides alone (it may also call images unused).
    Otherwise groups in an official test or validation list go there. A side that has no list is
    drawn as a share of all images, in whole groups: first from groups in no list, then from those
    of the training list. All others form the pool. ``collection`` is as `choose_labels` makes it,
    for its labels tell which groups are rare.

    Returns:
        Columns image, group, split; sorted by image.

    Raises:
        RarelensError: for each group in two official lists, a group expression that does not
            fit, each problem in the split file, or too few images.
    """
    images = [entry.image for entry in collection.images]
    groups = _groups(collection, split)
    if split.file is not None:
        sides = read_split_file(images, groups, raw, split.file)
    else:
        sides = _drawn(collection, groups, split)
    return pd.DataFrame({"image": images, "group": groups, "split": sides})


def image_subset(table: pd.DataFrame, fraction: str | float, seed: int) -> list[str]:
    """Draw ``fraction`` of the pool's images, so that they cover common and rare classes alike.

    The pool's groups are ranked by their rarest positive class (`nested_subset`).

    Args:
        table: ``images.parquet``, as it lies on disk or indexed by image.
        fraction: share of the pool's images, in (0, 1].
        seed: of the draw.

    Returns:
        Image ids, sorted.

    Raises:
        RarelensError: if not a single image is left.
    """
    pool = pool_of(table)
    ranked = ranked_groups(pool["group"].tolist(), np.stack(pool["labels"].tolist()))
    return nested_subset(pool, "image", ranked, fraction, seed)


def ranked_groups(groups: list[str], labels: NDArray[np.floating]) -> list[str]:
    """Groups, by their rarest positive class, then their next rarest; those without any last.

    Args:
        groups: of each image.
        labels: (n, C); NaN does not count as positive.
    """
    positive = labels == 1
    rarity = np.argsort(np.argsort(positive.sum(axis=0), kind="stable"), kind="stable")
    found: dict[str, set[int]] = defaultdict(set)
    for group, row in zip(groups, positive, strict=True):
        found[group].update(rarity[row].tolist())
    return sorted(found, key=lambda group: (not found[group], sorted(found[group]), group))


def _groups(collection: ImageCollection, split: ImageSplit) -> list[str]:
    named = [entry.group for entry in collection.images]
    at = f"params.yaml: datasets.{collection.name}.split.group"
    if split.group is None:
        return [entry.group or entry.image for entry in collection.images]
    if any(named):
        raise RarelensError(
            f"{at}: {split.group!r}, but the dataset itself names the group of its images; "
            "set it to null"
        )
    images = [entry.image for entry in collection.images]
    return find_groups(images, split.group, collection.name)


def _drawn(collection: ImageCollection, groups: list[str], split: ImageSplit) -> list[str]:
    listed = _listed(collection, groups) if split.official else {}
    sides: dict[str, str] = {g: side for g, side in listed.items() if side != "train"}
    labels = np.array([entry.labels for entry in collection.images], dtype=np.float64)
    order = spread(ranked_groups(groups, labels), np.random.default_rng([split.seed]))
    free = [group for group in order if group not in sides]
    free.sort(key=lambda group: group in listed)
    sizes = pd.Series(groups).value_counts()
    taken = iter(free)
    for side, share in (("test", split.test), ("validation", split.validation)):
        wanted = 0 if side in listed.values() else round(share * len(groups))
        while wanted > 0 and (group := next(taken, None)) is not None:
            sides[group] = side
            wanted -= int(sizes[group])
    drawn = [sides.get(group, "pool") for group in groups]
    needed = ("test", "validation", "pool") if split.validation else ("test", "pool")
    missing = [side for side in needed if side not in drawn]
    if missing:
        raise RarelensError(
            f"{collection.name}: split: {len(groups)} images in {len(sizes)} whole groups leave "
            f"none for {' and '.join(missing)} (test {split.test:g}, validation "
            f"{split.validation:g} of the images); change these shares or add images"
        )
    return drawn


def _listed(collection: ImageCollection, groups: list[str]) -> dict[str, Official]:
    """The official list that each listed group is in."""
    found: dict[str, set[Official]] = defaultdict(set)
    for entry, group in zip(collection.images, groups, strict=True):
        if entry.official is not None:
            found[group].add(entry.official)
    refuse(
        f"{collection.folder}: group {group} is in "
        f"{' and '.join(sorted(collection.lists[side] for side in sides))}; keep it in one, or "
        "set split.official to false"
        for group, sides in sorted(found.items())
        if len(sides) > 1
    )
    return {group: sides.pop() for group, sides in found.items()}
