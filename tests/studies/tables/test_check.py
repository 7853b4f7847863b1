"""What is declared of a table is held against it: names, types, bounds, words, keys."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from rarelens.errors import RarelensError
from rarelens.studies.tables.check import check_rows, check_tables, problem_of
from rarelens.studies.tables.columns import flag, number, share, table, text, whole

DECLARED = table(
    "a table",
    {
        "case": text("its name"),
        "side": text("", "train", "test"),
        "count": whole("", 0),
        "dice": share("", missing=True),
        "seen": flag("", missing=True),
        r"logit_\d+": number(""),
    },
    ["case", "side"],
)
ROWS = pd.DataFrame(
    {
        "case": ["001", "001", "2"],
        "side": ["train", "test", "test"],
        "count": [0, 3, 1],
        "dice": [0.0, 1.0, float("nan")],
        "seen": [True, False, None],
        "logit_0": [-1.5, 0.0, 2.0],
        "logit_10": [0.0, 0.0, 0.0],
    }
)


def test_what_is_as_declared_passes() -> None:
    assert problem_of(ROWS, DECLARED) == ""
    assert problem_of(ROWS.drop(columns=["logit_0", "logit_10"]), DECLARED) == ""
    # Nothing tells the types of no rows.
    assert problem_of(ROWS[:0].astype(object), DECLARED) == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"side": ["train", "test", "unseen"]}, "column side: isin"),
        ({"side": ["train", "train", "test"]}, "column case: multiple_fields_uniqueness (001)"),
        ({"count": [0.5, 1, 2]}, "column count: is no whole number"),
        ({"count": [-1, 1, 2]}, "column count: greater_than_or_equal_to(0) (-1)"),
        ({"count": [True, False, True]}, "column count: is no whole number"),
        ({"dice": [0.0, 1.01, 0.5]}, "column dice: less_than_or_equal_to(1) (1.01)"),
        ({"dice": ["0", "1", "1"]}, "column dice: is no number"),
        ({"seen": [0, 1, 1]}, "column seen: is no true or false"),
        ({"case": [1, 2, 3]}, "column case: is no text"),
        ({"case": ["1", None, "3"]}, "column case: not_nullable"),
        ({"logit_10": ["a", "b", "c"]}, "column logit_10: is no number"),
        ({"logit_x": [0, 0, 0]}, "column logit_x: column_in_schema"),
    ],
)
def test_what_is_not_is_told(change: dict[str, list], told: str) -> None:
    assert problem_of(ROWS.assign(**change), DECLARED).startswith(told)


def test_a_column_that_is_missing_is_told_also_of_no_rows() -> None:
    assert problem_of(ROWS[:0].drop(columns="dice"), DECLARED).startswith("column dice: column_in")


def test_files_are_read_as_they_were_meant(tmp_path: Path) -> None:
    ROWS.to_csv(tmp_path / "rows.csv", index=False)  # Of "001" and "2" the types are gone.
    ROWS.to_parquet(tmp_path / "rows.parquet", index=False)
    check_tables(tmp_path, dict.fromkeys(("rows.csv", "rows.parquet", "none.csv"), DECLARED))
    ROWS.assign(count=-1).to_parquet(tmp_path / "rows.parquet", index=False)
    with pytest.raises(RarelensError, match=r"rows\.parquet: column count: greater.*; mend what"):
        check_tables(tmp_path, {"rows.parquet": DECLARED})


def test_every_table_is_told() -> None:
    wrong = {"a.csv": ROWS.assign(count=-1), "b.csv": ROWS, "c.csv": ROWS.assign(more=0)}
    with pytest.raises(RarelensError) as told:
        check_rows(wrong, dict.fromkeys(wrong, DECLARED))
    assert [each.split(":")[0] for each in str(told.value).splitlines()] == ["a.csv", "c.csv"]
