"""Lesions of the test cases as values of a case, of all sizes and by size quartile.

A value is the mean over the lesions of a case, so that each patient has one vote, however many
lesions there are.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rarelens.measures.lesion_detection import f1

ALL = {"detected": "lesion_detected", "detected_iou": "lesion_detected_iou"}
BY_SIZE = ("detected", "dice", "margin")
QUARTILES = (1, 2, 3, 4)


def lesion_values(lesions: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Class, case, measure and value of the test cases.

    Cases without lesions have false alarms only; cases without lesions of a quartile have no value
    of it. The quartiles of a class are those of the volumes of all its test lesions, thus of the
    truth, and the same for all methods; a volume on an edge is of the smaller one.

    Args:
        lesions: ``lesions.parquet`` of an analysis.
        counts: its ``lesion_counts.parquet``.
    """
    keys = ["class", "case"]
    counts = counts[counts["side"] == "test"].set_index(keys)
    numbers = (counts[name] for name in ("lesions", "detected", "false_alarms"))
    own = pd.DataFrame({"false_alarms": counts["false_alarms"], "lesion_f1": f1(*numbers)})
    test = lesions[lesions["side"] == "test"]
    parts = [own, test.groupby(keys)[list(ALL)].mean().rename(columns=ALL)]
    quartile = size_quartiles(test)
    for number in QUARTILES:
        names = {name: f"lesion_{name}_q{number}" for name in BY_SIZE}
        inside = test[quartile == number].groupby(keys)[list(BY_SIZE)]
        parts.append(inside.mean().rename(columns=names))
    return pd.concat(
        part.melt(var_name="measure", ignore_index=False).reset_index().dropna() for part in parts
    ).astype({"value": np.float64})


def size_quartiles(lesions: pd.DataFrame) -> pd.Series:
    """Of each lesion of either side, 1 to 4, by the volumes of its class's test lesions."""
    found = np.zeros(len(lesions), dtype=int)
    volumes, test = lesions["volume"].to_numpy(), (lesions["side"] == "test").to_numpy()
    for own in lesions.groupby("class").indices.values():
        edges = np.quantile(volumes[own[test[own]]], [0.25, 0.5, 0.75])
        found[own] = 1 + np.searchsorted(edges, volumes[own])
    return pd.Series(found, lesions.index)
