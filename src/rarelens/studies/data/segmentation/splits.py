"""Which case serves what: test, validation, pool; training subsets; which classes are rare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from rarelens.errors import RarelensError
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.data.splits import find_groups, nested_subset, pool_of, read_split_file
from rarelens.studies.settings.segmentation.datasets import Split


def assign_splits(cases: Sequence[str], split: Split, raw: Path) -> pd.DataFrame:
    """Assign every case to test, validation, pool or unused; a group is never parted.

    Groups come in a seeded order; test takes whole groups until it has its number of cases,
    then validation, then the pool; the rest is unused. A split file in ``raw``, the dataset's
    folder, decides instead.

    Returns:
        Columns case, group, split; sorted by case.

    Raises:
        RarelensError: if a case does not match the group expression, if there are too few
            cases, or for each problem in the split file.
    """
    ordered = sorted(cases)
    groups = find_groups(ordered, split.group, raw.name)
    if split.file is not None:
        sides = read_split_file(ordered, groups, raw, split.file)
    else:
        sides = _drawn(groups, split, raw.name)
    return pd.DataFrame({"case": ordered, "group": groups, "split": sides})


def training_subset(
    table: pd.DataFrame, fraction: str | float, seed: int, rare: tuple[int, ...]
) -> list[str]:
    """Draw ``fraction`` of the pool's cases, so that they cover the range of rare volumes.

    The pool's groups are ranked by their mean rare-class volume in mm³ (`nested_subset`).

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
    pool = pool_of(table)
    volumes = [
        float(np.sum(np.asarray(voxels)[list(rare)]) * np.prod(spacing))
        for voxels, spacing in zip(pool["voxels"], pool["spacing"], strict=True)
    ]
    ranked = pool.assign(volume=volumes).groupby("group")["volume"].mean().sort_index()
    ranked = ranked.sort_values(kind="stable")
    return nested_subset(pool, "case", ranked.index.tolist(), fraction, seed)


def rare_classes(
    table: pd.DataFrame,
    classes: Sequence[str],
    setting: Literal["auto"] | tuple[int | str, ...],
    threshold: float,
) -> tuple[int, ...]:
    """The dataset's rare classes.

    Args:
        table: ``cases.parquet``, as it lies on disk or indexed by case.
        classes: names; the index is the label value.
        setting: ``auto`` for every foreground class whose share of the whole pool's voxels is
            below ``threshold``; or the classes themselves, by label value or name.
        threshold: share of voxels.

    Raises:
        RarelensError: if there is none, or a given class does not exist.
    """
    if setting == "auto":
        voxels = np.stack(pool_of(table)["voxels"].tolist()).sum(axis=0)
        shares = voxels / voxels.sum()
        rare = tuple(label for label in range(1, len(shares)) if shares[label] < threshold)
        if not rare:
            shown = ", ".join(f"{share:.3g}" for share in shares[1:])
            raise RarelensError(
                f"rare_classes: no foreground class has a share of voxels below "
                f"rare_threshold {threshold:g} (shares: {shown}); raise it or name the classes"
            )
        return rare
    values = {name: value for value, name in enumerate(classes)}
    chosen = {each: values.get(each, -1) if isinstance(each, str) else each for each in setting}
    unknown = [repr(each) for each, value in chosen.items() if value not in values.values()]
    if unknown or not chosen:
        listed = ", ".join(f"{value} {name}" for name, value in values.items())
        wrong = f"there is no class {' or '.join(unknown)}" if unknown else "no class is named"
        raise RarelensError(
            f"rare_classes: {list(setting)}: {wrong}; give each by the name or the value that it "
            f"has here: {listed}"
        )
    rare = tuple(sorted(set(chosen.values())))
    if len(rare) == len(classes):
        raise RarelensError(
            f"rare_classes: {list(setting)}: every class is named, so none is left that is not "
            "rare; leave out the common ones"
        )
    return rare


def rare_classes_of(
    data: PreparedDataset, setting: Literal["auto"] | tuple[int | str, ...], threshold: float
) -> tuple[int, ...]:
    """As `rare_classes`, of a prepared dataset; an error says where they were set."""
    try:
        return rare_classes(data.table, data.classes, setting, threshold)
    except RarelensError as error:
        raise RarelensError(f"params.yaml: datasets.{data.name}.{error}") from error


def _drawn(groups: list[str], split: Split, dataset: str) -> list[str]:
    sizes = pd.Series(groups).value_counts().sort_index()
    order = np.random.default_rng([split.seed]).permutation(sizes.index.to_numpy(dtype=object))
    least = {"test": split.test, "validation": split.validation, "pool": split.pool or 1}
    upto = {**least, "pool": split.pool or len(groups)}
    chosen: dict[str, str] = {}
    counts = dict.fromkeys(least, 0)
    for group in order:
        side = next((side for side in least if counts[side] < upto[side]), "unused")
        chosen[group] = side
        if side in counts:
            counts[side] += int(sizes[group])
    if any(counts[side] < least[side] for side in least):
        wholly = "" if len(sizes) == len(groups) else f" in {len(sizes)} whole groups"
        raise RarelensError(
            f"params.yaml: datasets.{dataset}.split: there are {len(groups)} cases{wholly}, but "
            f"{least['test']} test + {least['validation']} validation + {least['pool']} "
            f"pool = {sum(least.values())} are needed; lower test, validation or pool, or add cases"
        )
    return [chosen[group] for group in groups]
