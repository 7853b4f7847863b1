"""Small tidy tables for ``dvc plots show``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rarelens.studies.files import write_text


def write_table(file: Path, frames: Sequence[pd.DataFrame]) -> None:
    """Write the rows of all ``frames`` as one CSV, six significant digits each."""
    table = pd.concat(frames, ignore_index=True)
    write_text(file, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
