"""What has one value per model: a long table over the methods and seeds of a family."""

from __future__ import annotations

import pandas as pd

from rarelens.studies.comparison.classification.family import Analysis, Family
from rarelens.studies.comparison.classification.ranking_values import MEASURES as SAMPLED

COLUMNS = ["method", "seed", "class", "layer", "measure", "value"]
COUNTS = ("threshold", "prevalence", "positives", "negatives")
SHIFTS = {
    "mean": "shift_mean",
    "negative_fraction": "shift_negative_fraction",
    "standardised_difference": "shift_standardised",
}


def seed_values(family: Family) -> pd.DataFrame:
    """Every value that a model has on its own.

    Returns:
        `COLUMNS`. ``class`` is "mean", "head", "mid", "tail" or a class's name, ``layer`` "" but
        for what belongs to one; measures of shift end in ``_positive`` or ``_negative``.
    """
    frames = []
    for (method, seed), model in family.models.items():
        names = family.classes
        parts = [_prediction(model, names), _shift(model, names), _units(model)]
        parts += [_representation(model, names), _components(model, names)]
        frames += [part.assign(method=method, seed=seed) for part in parts if len(part)]
    return pd.concat(frames, ignore_index=True)[COLUMNS]


def _prediction(model: Analysis, classes: list[str]) -> pd.DataFrame:
    """The test side's measures, but for those that compare resamples itself."""
    table = model.table("prediction")
    table = table[(table["side"] == "test") & ~table["measure"].isin([*SAMPLED, *COUNTS])]
    return _named(table, classes, table["group"].where(table["group"] != "class"))


def _shift(model: Analysis, classes: list[str]) -> pd.DataFrame:
    table = model.table("shift")
    table = table[table["statistic"].isin(list(SHIFTS))]
    measure = table["statistic"].map(SHIFTS) + "_" + table["sign"]
    return _with_mean(table.assign(measure=measure, value=table["difference"]), classes)


def _units(model: Analysis) -> pd.DataFrame:
    """Detecting units of each layer, and the classes that have any."""
    rows = []
    for layer, units in model.table("dissection").groupby("layer", sort=True):
        beyond = units[units["detects_beyond_null"].to_numpy(bool)]
        detecting = units[units["detects"].to_numpy(bool)]
        dead = units[units["dead"].to_numpy(bool)]
        counts = {
            "detectors": detecting["unit"].nunique(),
            "unique_concepts": detecting["class"].nunique(),
            "detectors_beyond_null": beyond["unit"].nunique(),
            "unique_concepts_beyond_null": beyond["class"].nunique(),
            "dead_units": dead["unit"].nunique(),
        }
        rows += [
            {"class": "mean", "layer": str(layer), "measure": name, "value": float(number)}
            for name, number in counts.items()
        ]
    return pd.DataFrame(rows)


def _representation(model: Analysis, classes: list[str]) -> pd.DataFrame:
    return _named(model.table("representation"), classes)


def _components(model: Analysis, classes: list[str]) -> pd.DataFrame:
    """Mean number of components over the probe images of a class, whatever their side."""
    table = model.table("components")
    means = table.groupby(["layer", "class"], sort=True)["components"].mean().reset_index()
    return _with_mean(means.assign(measure="components", value=means["components"]), classes)


def _with_mean(table: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """Add the mean over classes that are defined."""
    keys = [key for key in ("layer", "measure") if key in table]
    means = table.groupby(keys, sort=True)["value"].mean().reset_index()
    means["class"] = -1
    return _named(pd.concat([table, means], ignore_index=True), classes)


def _named(
    table: pd.DataFrame, classes: list[str], groups: pd.Series | None = None
) -> pd.DataFrame:
    """Put the names of classes, and "mean" for −1, in place of their indices."""
    names = table["class"].map({-1: "mean", **dict(enumerate(classes))})
    named = table.assign(layer=table.get("layer", ""))
    named["class"] = names if groups is None else groups.fillna(names)
    return named[["class", "layer", "measure", "value"]]
