"""What a comparison writes, ``metrics/``, and how it is read again."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd

from rarelens.errors import RarelensError
from rarelens.studies.catalogue import CATALOGUE
from rarelens.studies.comparison.comparison import COMPARISON
from rarelens.studies.files import write_json, write_text
from rarelens.studies.spreadsheet import to_csv, unquoted

TEXT = [*COMPARISON, "method", "baseline", "class", "layer", "rule", "measure"]
TEXT += ["method_a", "method_b", "quantity"]


def write_metrics(
    folder: Path, task: str, table: pd.DataFrame, pairs: pd.DataFrame | None = None
) -> None:
    """Write ``<task>.csv``, ``<task>.json`` and, of pairs, ``<task>_pairs.csv``.

    Numbers have six digits, so that bytes depend on the tables' content alone. The JSON has the
    means of the headline measures at the levels dataset, network, fraction, method, class, measure
    and, where there is one, layer, for ``dvc metrics diff``; of overlap it has that of all
    components. A mean that is not defined is left out.

    Args:
        folder: of the files.
        task: whose catalogue says what a headline is.
        table: with columns dataset, network, fraction, method, class, measure and mean; layer or
            rule.
        pairs: of methods.
    """
    for name, own in ((task, table), (f"{task}_pairs", pairs)):
        if own is not None:
            text = to_csv(own, index=False, float_format="%.6g", lineterminator="\n")
            write_text(folder / f"{name}.csv", text)
    tree: dict[str, Any] = {}
    headlines = [name for name, measure in CATALOGUE[task].items() if measure.headline]
    for row in table[table["measure"].isin(headlines)].to_dict("records"):
        if row.get("rule", "all") != "all" or not isfinite(row["mean"]):
            continue
        *above, last = [name for name in (row["measure"], row.get("layer", "")) if name]
        node = tree
        for level in [*(row[name] for name in (*COMPARISON, "method", "class")), *above]:
            node = node.setdefault(str(level), {})
        node[last] = float(f"{row['mean']:.6g}")
    write_json(folder / f"{task}.json", tree)


def read_metrics(csv: Path) -> pd.DataFrame:
    """Read a table that a comparison wrote: names are text, an empty number is undefined.

    Raises:
        RarelensError: if there is none.
    """
    if not csv.is_file():
        raise RarelensError(f"{csv}: no such file; run stage compare first (dvc repro)")
    table = pd.read_csv(csv, dtype=dict.fromkeys(TEXT, str), keep_default_na=False, na_values=[""])
    texts = [name for name in TEXT if name in table]
    return table.assign(**{name: unquoted(table[name].fillna("")) for name in texts})
