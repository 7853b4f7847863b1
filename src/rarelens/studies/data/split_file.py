"""A split that the user gives: a CSV file, columns case and split, in the dataset's folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from rarelens.errors import RarelensError

SPLITS = ("test", "validation", "pool", "unused")


def read_split_file(table: pd.DataFrame, raw: Path, name: str) -> list[str]:
    """The split of each case of ``table`` (case, group) by the CSV file ``raw/name``.

    Raises:
        RarelensError: if the file is missing or no such CSV, and for each case that is unknown,
            missing, listed twice or given a split that does not exist, each group in two
            splits, and where no test or no pool case is left.
    """
    given = _read(raw, name)
    cases = table["case"].tolist()
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
        problems = _parted(table.assign(split=table["case"].map(known)), file)
    if problems:
        raise RarelensError(*problems)
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


def _parted(table: pd.DataFrame, file: Path) -> list[str]:
    """Groups in more than one split, and splits that must not be empty but are."""
    used = table[table["split"] != "unused"]
    sides = used.groupby("group")["split"].unique()
    problems = [
        f"{file}: group {group} is in {' and '.join(sorted(found))}; keep it in one split"
        for group, found in sides.items()
        if len(found) > 1
    ]
    present = set(used["split"])
    return problems + [
        f"{file}: no case in split {side}; assign at least one"
        for side in ("test", "pool")
        if side not in present
    ]
