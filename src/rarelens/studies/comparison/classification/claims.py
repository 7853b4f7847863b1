"""The study's question: which methods perform alike and are different inside?"""

from __future__ import annotations

from math import nan
from typing import Any

import pandas as pd

from rarelens.studies.catalogue import with_role
from rarelens.studies.comparison.comparison import COMPARISON

PERFORMANCE = with_role("performance")
ALIGNMENT = with_role("alignment")
CONCEPTS = with_role("concepts")
PAIR = [*COMPARISON, "method_a", "method_b"]
COLUMNS = [
    *PAIR,
    *(f"{name}_{number}" for name in PERFORMANCE for number in ("difference", "p_holm")),
    "same_performance",
    *(f"{name}_{number}" for name in ALIGNMENT for number in ("difference", "p_holm")),
    *("energy_inside_matched_difference", "energy_inside_matched_p_holm"),
    *("alignment_differs", "concepts_differ", "cka", "cka_noise_floor", "cka_layer"),
    *("cka_differs", "different_inside", "sufficient_seeds", "claim"),
]


def claims(pairs: pd.DataFrame) -> pd.DataFrame:
    """One row a pair: how it differs in performance and inside.

    - ``alignment_differs``: a measure of alignment does, by its p after Holm's correction over
      pairs (it is not corrected over the three measures, which go together).
    - ``concepts_differ``: detectors or unique concepts of a layer do, likewise.
    - ``cka_differs``: in some layer every CKA between the methods is below every CKA between
      seeds of one method. ``cka`` and its noise floor are of the layer where they are furthest
      apart.
    - ``different_inside``: any of the three. ``claim``: that, and the same performance, and at
      least three seeds.

    Args:
        pairs: the table of pairs of methods (`rarelens.studies.comparison.classification.pairs`).

    Returns:
        `COLUMNS`, in the order of ``pairs``.
    """
    rows = [
        dict(zip(PAIR, names, strict=True)) | _answer(own)
        for names, own in pairs.groupby(PAIR, sort=False)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _answer(rows: pd.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in (*PERFORMANCE, *ALIGNMENT, "energy_inside_matched"):
        own = rows[rows["quantity"] == name]
        for number in ("difference", "p_holm"):
            found[f"{name}_{number}"] = float(own[number].iloc[0]) if len(own) else nan
    cka = rows[(rows["quantity"] == "cka") & rows["difference"].notna()]
    if len(cka):
        lowest = cka.iloc[int(cka["difference"].argmin())]
        found |= {"cka": lowest["value_a"], "cka_noise_floor": lowest["value_b"]}
        found["cka_layer"] = lowest["layer"]
    differing = {
        "alignment_differs": _significant(rows, ALIGNMENT),
        "concepts_differ": _significant(rows, CONCEPTS),
        "cka_differs": bool((cka["high"] < 0).any()),
    }
    performing = rows[rows["quantity"].isin(PERFORMANCE)]
    alike = bool(rows["same_performance"].iloc[0])
    enough = bool(performing["sufficient_seeds"].all()) and len(performing) > 0
    inside = any(differing.values())
    found |= {"same_performance": alike, "sufficient_seeds": enough, "different_inside": inside}
    return found | differing | {"claim": alike and inside and enough}


def _significant(rows: pd.DataFrame, quantities: tuple[str, ...]) -> bool:
    own = rows[rows["quantity"].isin(quantities)]
    return bool((own["p_holm"] < 1 - own["confidence"]).any())
