"""What has one value a classifier: the long table over the methods and seeds of a comparison."""

from __future__ import annotations

import pandas as pd

from rarelens.studies.comparison.classification.classifiers import Analysis, Classifiers
from rarelens.studies.comparison.classification.ranking import MEASURES as RESAMPLED
from rarelens.studies.comparison.engine import VALUES

SHIFTS = {
    "mean": "shift_mean",
    "negative_fraction": "shift_negative_fraction",
    "standardised_difference": "shift_standardised",
}
COUNTS = {"detectors": ("detects", "unit"), "unique_concepts": ("detects", "class")}
COUNTS |= {
    f"{name}_beyond_null": ("detects_beyond_null", counted) for name, (_, counted) in COUNTS.items()
}
COUNTS |= {"dead_units": ("dead", "unit")}


def model_values(classifiers: Classifiers) -> pd.DataFrame:
    """Every value that a model has on its own.

    Returns:
        `VALUES`, group, case and rule "". ``class`` is "mean", "head", "mid", "tail" or a class's
        name, ``layer`` "" but for what belongs to one; measures of shift end in ``_positive`` or
        ``_negative``.
    """
    names, frames = classifiers.classes, []
    for (method, seed), model in classifiers.models.items():
        parts = [_prediction(model, names), _shift(model, names), _units(model)]
        parts += [_representation(model, names), _components(model, names)]
        frames += [part.assign(method=method, seed=seed) for part in parts if len(part)]
    return pd.concat(frames, ignore_index=True).assign(group="", case="", rule="")[VALUES]


def _prediction(model: Analysis, classes: list[str]) -> pd.DataFrame:
    """The test side's measures, but for those that compare resamples itself."""
    table = model.table("prediction")
    table = table[(table["side"] == "test") & ~table["measure"].isin(RESAMPLED)]
    return _named(table, classes, table["group"].where(table["group"] != "class"))


def _shift(model: Analysis, classes: list[str]) -> pd.DataFrame:
    table = model.table("shift")
    table = table[table["statistic"].isin(list(SHIFTS))]
    measure = table["statistic"].map(SHIFTS) + "_" + table["sign"]
    return _with_mean(table.assign(measure=measure, value=table["difference"]), classes)


def _units(model: Analysis) -> pd.DataFrame:
    """Detecting and dead units of each layer, and the classes that have any detector."""
    units = model.table("dissection")
    rows = [
        (str(layer), name, float(own.loc[own[condition].to_numpy(bool), counted].nunique()))
        for layer, own in units.groupby("layer", sort=True)
        for name, (condition, counted) in COUNTS.items()
    ]
    return pd.DataFrame(rows, columns=["layer", "measure", "value"]).assign(**{"class": "mean"})


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
