"""Parquet tables that grow case by case, so that memory does not."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


class TableWriter:
    """Appends frames of the same columns to ``folder/<name>.parquet``; use as a context."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}

    def append(self, name: str, frame: pd.DataFrame) -> None:
        """Add ``frame`` as a row group; the first one settles the columns and their types."""
        writer = self._writers.get(name)
        schema = writer.schema if writer else None
        table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
        if writer is None:
            writer = pq.ParquetWriter(self.folder / f"{name}.parquet", table.schema)
            self._writers[name] = writer
        writer.write_table(table)

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for writer in self._writers.values():
            writer.close()
