"""What splits of volumes and of images share: whole groups, split files, nested subsets.

A split is test, validation, pool (of which training subsets are drawn) or unused. A group, which
is a patient where the dataset says so, is never parted.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd

from rarelens.errors import RarelensError, refuse

SPLITS = ("test", "validation", "pool", "unused")


def find_groups(cases: Sequence[str], expression: str | None, dataset: str) -> list[str]:
    """The group of each case: what the first bracket of ``expression`` finds in its id.

    Raises:
        RarelensError: for each case in which it finds nothing.
    """
    if expression is None:
        return list(cases)
    found = [re.search(expression, case) for case in cases]
    groups = [str((match and match.group(1)) or "") for match in found]
    refuse(
        f"params.yaml: datasets.{dataset}.split.group: {expression!r} finds no group in the id "
        f"{case!r}; correct it"
        for case, group in zip(cases, groups, strict=True)
        if not group
    )
    return groups


def nested_subset(
    pool: pd.DataFrame, key: str, ranked: list[str], fraction: str | float, seed: int
) -> list[str]:
    """The shortest beginning of the spread groups (`spread`) with ``fraction`` of the pool.

    Subsets of one seed are nested, each covers the ranking evenly, and groups stay whole.

    Args:
        pool: a row each, with columns ``key`` and group.
        key: what the rows are, ``case`` or ``image``; the column of their ids.
        ranked: the groups.
        fraction: share of the rows, in (0, 1].
        seed: of the draw.

    Returns:
        Ids, sorted.

    Raises:
        RarelensError: if none is left.
    """
    wanted = share_of_pool(fraction, len(pool))
    if wanted < 1:
        raise RarelensError(
            f"fraction {fraction} of a pool of {len(pool)} {key}s leaves no training {key}; "
            "raise the fraction or enlarge the pool"
        )
    members = defaultdict(list)
    for each, group in zip(pool[key], pool["group"], strict=True):
        members[group].append(each)
    chosen: list[str] = []
    for group in spread(ranked, np.random.default_rng([seed])):
        if len(chosen) >= wanted:
            break
        chosen += members[group]
    return sorted(chosen)


def share_of_pool(fraction: str | float, size: int) -> int:
    """How many of a pool of that size a fraction is, exactly: 0.1 is a tenth, not the float."""
    return round(Fraction(str(fraction)) * size)


def pool_of(table: pd.DataFrame) -> pd.DataFrame:
    """The pool's rows, with the id as a column (in a prepared dataset it is the index)."""
    return table[table["split"] == "pool"].reset_index()


def spread(ranked: list[str], rng: np.random.Generator) -> list[str]:
    """Order a ranking so that every beginning has its halves equally often, and so on within.

    A scrambled van der Corput sequence over the ranks (nested scrambling: Owen 1995): each half,
    quarter, … of the ranking is visited in turn, in an order drawn at random.
    """
    if len(ranked) < 2:
        return ranked
    middle = (len(ranked) + int(rng.integers(2))) // 2
    halves = [spread(ranked[:middle], rng), spread(ranked[middle:], rng)]
    if rng.integers(2):
        halves.reverse()
    return [item for pair in zip_longest(*halves) for item in pair if item is not None]


def read_split_file(cases: list[str], groups: list[str], raw: Path, name: str) -> list[str]:
    """The split of each case by a CSV file of the user's, ``raw/name``: columns case and split.

    Raises:
        RarelensError: if the file is missing or no such CSV, and for each case that is unknown,
            missing, listed twice or given a split that does not exist, each group in two
            splits, and where no test or no pool case is left.
    """
    given = _read(raw, name)
    known = dict(zip(given["case"], given["split"], strict=True))
    file = raw / name
    unknown = sorted(known.keys() - set(cases))
    problems = [f"{case}: {file}: not a case of the dataset; remove it" for case in unknown]
    problems += [f"{case}: {file}: not listed; add it" for case in cases if case not in known]
    problems += [
        f"{case}: {file}: split {side!r}; choose from {', '.join(SPLITS)}"
        for case, side in known.items()
        if side not in SPLITS
    ]
    twice = given.loc[given["case"].duplicated(), "case"].unique()
    problems += [f"{case}: {file}: listed twice; keep one" for case in twice]
    if not problems:
        problems = _parted(groups, [known[case] for case in cases], file)
    refuse(problems)
    return [known[case] for case in cases]


def _read(raw: Path, name: str) -> pd.DataFrame:
    file = raw / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise RarelensError(f"split.file: {name}: outside the dataset's folder; put it into {raw}")
    try:
        given = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise RarelensError(f"{file}: no such file; add it or set split.file to null") from error
    except (ValueError, OSError) as error:
        raise RarelensError(f"{file}: not readable as CSV ({error}); correct it") from error
    if not {"case", "split"} <= set(given.columns):
        raise RarelensError(
            f"{file}: columns {list(given.columns)}; it must have the columns case and split"
        )
    return pd.DataFrame({key: given[key].str.strip() for key in ("case", "split")})


def _parted(groups: list[str], sides: list[str], file: Path) -> list[str]:
    """Groups in more than one split, and splits that must not be empty but are."""
    found = defaultdict(set)
    for group, side in zip(groups, sides, strict=True):
        if side != "unused":
            found[group].add(side)
    problems = [
        f"{file}: group {group} is in {' and '.join(sorted(own))}; keep it in one split"
        for group, own in sorted(found.items())
        if len(own) > 1
    ]
    return problems + [
        f"{file}: no case in split {side}; assign at least one"
        for side in ("test", "pool")
        if side not in sides
    ]
