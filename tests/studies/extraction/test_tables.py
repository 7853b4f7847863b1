from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rarelens.studies.extraction.tables import TableWriter


def frame(case: str, rows: int) -> pd.DataFrame:
    return pd.DataFrame({"case": case, "n": range(rows), "value": [0.5] * rows})


def test_each_frame_is_written_at_once_as_a_row_group(tmp_path: Path) -> None:
    with TableWriter(tmp_path) as tables:
        for number in range(3):
            tables.append("one", frame(f"c{number}", number + 1))
        tables.append("two", frame("x", 1))
    file = pq.ParquetFile(tmp_path / "one.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [1, 2, 3]
    expected = pd.concat([frame(f"c{n}", n + 1) for n in range(3)], ignore_index=True)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "one.parquet"), expected)
    assert len(pd.read_parquet(tmp_path / "two.parquet")) == 1


def test_equal_frames_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with TableWriter(tmp_path) as tables:
            tables.append(name, frame("a", 4))
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_a_column_of_another_type_is_refused(tmp_path: Path) -> None:
    with TableWriter(tmp_path) as tables:
        tables.append("one", frame("a", 1))
        with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
            tables.append("one", frame("a", 1).assign(n="word"))
