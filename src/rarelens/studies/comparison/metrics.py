"""What a comparison writes, ``metrics/``, and how it is read again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rarelens.errors import RarelensError
from rarelens.studies.catalogue import CATALOGUE, SUMMARY
from rarelens.studies.comparison.comparison import COMPARISON
from rarelens.studies.files import write_json, write_text
from rarelens.studies.spreadsheet import RESULTS, to_csv, unquoted

TEXT = [*COMPARISON, "method", "baseline", "class", "layer", "rule", "measure"]
TEXT += ["method_a", "method_b", "quantity"]


def write_metrics(
    folder: Path, task: str, table: pd.DataFrame, pairs: pd.DataFrame | None = None
) -> None:
    """Write ``<task>`` ``.csv`` and ``.json``, ``<task>_summary.json`` and ``<task>_pairs.csv``.

    Numbers have six digits, so that bytes depend on the tables' content alone. The JSON has the
    means of the headline measures at the levels dataset, network, fraction, method, class, measure
    and, where there is one, layer; of overlap it has that of all components. The summary, which
    ``dvc metrics`` and ``dvc exp`` show, has `SUMMARY` of each method: of segmentation the mean
    over the rare classes that have the number. A mean that is not defined is left out.

    Args:
        folder: of the files.
        task: whose catalogue says what a headline is.
        table: with columns dataset, network, fraction, method, class, measure and mean; layer, or
            rule and rare.
        pairs: of methods.
    """
    for name, own in ((task, table), (f"{task}_pairs", pairs)):
        if own is not None:
            write_text(folder / f"{name}.csv", to_csv(own, **RESULTS))
    whole = table[table["rule"] == "all"] if "rule" in table else table
    headlines = [name for name, measure in CATALOGUE[task].items() if measure.headline]
    listed = whole[whole["measure"].isin(headlines)]
    levels = [*COMPARISON, "method", "class", "measure", *(["layer"] if "layer" in table else [])]
    write_json(folder / f"{task}.json", _tree(listed, levels))
    of_all = whole["rare"] if "rare" in table else whole["class"] == "mean"
    summed = whole[of_all.astype(bool) & whole["measure"].isin(SUMMARY[task])]
    levels = [*COMPARISON, "method", "measure"]
    means = summed.groupby(levels, sort=False)["mean"].mean().reset_index()
    write_json(folder / f"{task}_summary.json", _tree(means, levels))


def _tree(rows: pd.DataFrame, levels: Sequence[str]) -> dict[str, Any]:
    """The means that are defined, below their levels; an empty name is none."""
    tree: dict[str, Any] = {}
    for row in rows[np.isfinite(rows["mean"].astype(float))].to_dict("records"):
        *above, last = [str(row[name]) for name in levels if row[name] != ""]
        node = tree
        for level in above:
            node = node.setdefault(level, {})
        node[last] = float(f"{row['mean']:.6g}")
    return tree


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
