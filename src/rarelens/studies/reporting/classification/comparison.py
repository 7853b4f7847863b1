"""Look numbers up in what the comparison wrote."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from rarelens.errors import RarelensError
from rarelens.studies.comparison.comparison import COMPARISON
from rarelens.studies.reporting.classification.block import Block

TEXT = [*COMPARISON, "method", "baseline", "class", "layer", "measure"]
TEXT += ["method_a", "method_b", "quantity"]


def read_comparison(csv: Path) -> pd.DataFrame:
    """Read a table that the comparison wrote: names are text, an empty number is undefined.

    Raises:
        RarelensError: if there is none.
    """
    if not csv.is_file():
        raise RarelensError(f"{csv}: no such file; run stage compare first (dvc repro)")
    header = pd.read_csv(csv, nrows=0).columns
    text = {name: str for name in TEXT if name in header}
    table = pd.read_csv(csv, dtype=text, keep_default_na=False, na_values=[""])
    return table.fillna(dict.fromkeys(text, ""))


def entry(
    block: Block, method: str, measure: str, class_name: str = "mean", layer: str = ""
) -> pd.Series:
    """The comparison's row for one number; an empty row where there is none."""
    rows = block.metrics
    rows = rows[(rows["method"] == method) & (rows["measure"] == measure)]
    rows = rows[(rows["class"] == class_name) & (rows["layer"] == layer)]
    return rows.iloc[0] if len(rows) else pd.Series(float("nan"), index=block.metrics.columns)


def enough_seeds(block: Block) -> bool:
    """Whether something may be claimed."""
    rows = block.metrics
    rows = rows[(rows["measure"] == "auroc") & (rows["class"] == "mean")]
    return bool(rows["sufficient_seeds"].all())
