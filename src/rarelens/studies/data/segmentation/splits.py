"""Which case serves what: test, validation, pool; training subsets; which classes are rare."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from rarelens.errors import RarelensError
from rarelens.studies.data.split_file import read_split_file
from rarelens.studies.settings.segmentation.datasets import Split


def assign_splits(cases: Sequence[str], split: Split, raw: Path) -> pd.DataFrame:
    """Assign every case to test, validation, pool or unused; a group is never parted.

    Groups come in a seeded order; test takes whole groups until it has its number of cases,
    then validation, then the pool; the rest is unused. A split file decides instead.

    Args:
        cases: case ids.
        split: the settings.
        raw: the dataset's folder, in which a split file is looked up.

    Returns:
        Columns case, group, split; sorted by case.

    Raises:
        RarelensError: if a case does not match the group expression, if there are too few
            cases, or for each problem in the split file.
    """
    table = pd.DataFrame({"case": sorted(cases)})
    table["group"] = find_groups(table["case"].tolist(), split.group)
    if split.file is not None:
        table["split"] = read_split_file(table, raw, split.file)
    else:
        table["split"] = _drawn(table, split)
    return table


def training_subset(
    table: pd.DataFrame, fraction: str | float, seed: int, rare: tuple[int, ...]
) -> list[str]:
    """Draw ``fraction`` of the pool's cases, so that they cover the range of rare volumes.

    The pool's groups are ranked by their mean rare-class volume and ordered by a scrambled
    van der Corput sequence over the ranks (nested scrambling: Owen 1995): each half, quarter,
    … of the ranking is visited in turn, in an order drawn per seed. A subset is the shortest
    beginning of that order with enough cases, so subsets of one seed are nested, each covers
    the ranking evenly, and groups stay whole.

    Args:
        table: ``cases.parquet``, as it lies on disk or indexed by case.
        fraction: share of the pool's cases, in (0, 1].
        seed: of the draw.
        rare: the rare classes.

    Returns:
        Case ids, sorted.

    Raises:
        RarelensError: if not a single case is left.
    """
    pool = _pool(table)
    wanted = share_of_pool(fraction, len(pool))
    if wanted < 1:
        raise RarelensError(
            f"fraction {fraction} of a pool of {len(pool)} cases leaves no training case; "
            "raise the fraction or enlarge the pool"
        )
    volumes = [
        float(np.sum(np.asarray(voxels)[list(rare)]) * np.prod(spacing))
        for voxels, spacing in zip(pool["voxels"], pool["spacing"], strict=True)
    ]
    ranked = pool.assign(volume=volumes).groupby("group")["volume"].mean().sort_index()
    ranked = ranked.sort_values(kind="stable")
    members = {group: rows["case"].tolist() for group, rows in pool.groupby("group")}
    chosen: list[str] = []
    for group in spread(ranked.index.tolist(), np.random.default_rng([seed])):
        if len(chosen) >= wanted:
            break
        chosen += members[group]
    return sorted(chosen)


def share_of_pool(fraction: str | float, size: int) -> int:
    """How many of a pool of that size a fraction is, exactly: 0.1 is a tenth, not the float."""
    return round(Fraction(str(fraction)) * size)


def rare_classes(
    table: pd.DataFrame, setting: Literal["auto"] | tuple[int, ...], threshold: float
) -> tuple[int, ...]:
    """The dataset's rare classes.

    Args:
        table: ``cases.parquet``, as it lies on disk or indexed by case.
        setting: ``auto`` for every foreground class whose share of the whole pool's voxels is
            below ``threshold``; or the classes themselves.
        threshold: share of voxels.

    Raises:
        RarelensError: if there is none, or a given class does not exist.
    """
    voxels = np.stack(_pool(table)["voxels"].tolist()).sum(axis=0)
    if setting == "auto":
        shares = voxels / voxels.sum()
        rare = tuple(label for label in range(1, len(shares)) if shares[label] < threshold)
        if not rare:
            shown = ", ".join(f"{share:.3g}" for share in shares[1:])
            raise RarelensError(
                f"rare_classes: no foreground class has a share of voxels below "
                f"rare_threshold {threshold:g} (shares: {shown}); raise it or name the classes"
            )
        return rare
    unknown = [label for label in setting if not 0 <= label < len(voxels)]
    if unknown or not setting:
        raise RarelensError(
            f"rare_classes: {list(setting)}: name at least one class, each from 0 to "
            f"{len(voxels) - 1}"
        )
    rare = tuple(sorted(set(setting)))
    if len(rare) == len(voxels):
        raise RarelensError(
            f"rare_classes: {list(setting)}: every class is named, so none is left that is not "
            "rare; leave out the common ones"
        )
    return rare


def spread(ranked: list[str], rng: np.random.Generator) -> list[str]:
    """Order a ranking so that every beginning has its halves equally often, and so on within.

    A scrambled van der Corput sequence over the ranks (nested scrambling: Owen 1995).
    """
    if len(ranked) < 2:
        return ranked
    middle = (len(ranked) + int(rng.integers(2))) // 2
    halves = [spread(ranked[:middle], rng), spread(ranked[middle:], rng)]
    if rng.integers(2):
        halves.reverse()
    return [item for pair in zip_longest(*halves) for item in pair if item is not None]


def find_groups(cases: list[str], expression: str | None) -> list[str]:
    """The group of each case: what the first bracket of ``expression`` finds in its id.

    Raises:
        RarelensError: for each case in which it finds nothing.
    """
    if expression is None:
        return cases
    found = {case: re.search(expression, case) for case in cases}
    names = {case: match and match.group(1) for case, match in found.items()}
    unnamed = [case for case, name in names.items() if not name]
    if unnamed:
        raise RarelensError(
            *(
                f"{case}: split.group {expression!r} finds no group in this case id; correct it"
                for case in unnamed
            )
        )
    return [str(names[case]) for case in cases]


def _pool(table: pd.DataFrame) -> pd.DataFrame:
    """The pool's rows, with the case as a column (in a `PreparedDataset` it is the index)."""
    return table[table["split"] == "pool"].reset_index()


def _drawn(table: pd.DataFrame, split: Split) -> list[str]:
    sizes = table.groupby("group").size().sort_index()
    order = np.random.default_rng([split.seed]).permutation(sizes.index.to_numpy(dtype=object))
    least = {"test": split.test, "validation": split.validation, "pool": split.pool or 1}
    upto = {**least, "pool": split.pool or len(table)}
    chosen: dict[str, str] = {}
    counts = dict.fromkeys(least, 0)
    for group in order:
        side = next((side for side in least if counts[side] < upto[side]), "unused")
        chosen[group] = side
        if side in counts:
            counts[side] += int(sizes[group])
    if any(counts[side] < least[side] for side in least):
        wholly = "" if len(sizes) == len(table) else f" in {len(sizes)} whole groups"
        raise RarelensError(
            f"split: there are {len(table)} cases{wholly}, but {least['test']} test + "
            f"{least['validation']} validation + {least['pool']} pool = {sum(least.values())} "
            "are needed; lower split.test, split.validation or split.pool, or add cases"
        )
    return [chosen[group] for group in table["group"]]
