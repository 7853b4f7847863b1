"""How well one cell predicts: per class, in the mean, and from head to tail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rarelens.measures.arrays import ratio
from rarelens.measures.calibration import fit_correction, reliability, sigmoid
from rarelens.measures.clusters import Clusters, completed, percentiles
from rarelens.measures.prediction import MEASURES, OneClass, measures
from rarelens.measures.ranking import best_f1_threshold
from rarelens.studies.analysis.classification.scores import Array, Scores, class_groups, read_scores
from rarelens.studies.settings.classification.stages import AnalyseClassification

SIDES = ("validation", "test")
GROUPS = ("mean", "head", "mid", "tail")
ALL = -1  # The class index of a mean over classes.


def write_prediction(
    extract: Path, classes: Sequence[str], target: Path, settings: AnalyseClassification
) -> None:
    """Write ``prediction.parquet`` and ``reliability.parquet``.

    Thresholds and the correction of the logits are fitted on the validation images and used on
    both sides, so that the validation rows flatter. Thresholds are given as probabilities. A
    class with one sign on a side has no value there and stays out of the means. A bootstrap draw
    that holds one sign only says nothing of the class; in means it counts there with its value in
    the sample, so that all draws average over the same classes.
    """
    table = read_scores(extract)
    sides = {side: Scores.of(table[table["side"] == side], len(classes)) for side in SIDES}
    train = Scores.of(table[table["side"] == "train"], len(classes))
    groups = class_groups(train.prevalence, settings)
    validation, test = (sides[side] for side in SIDES)
    correction = fit_correction(validation.labels, validation.logits)
    thresholds = _thresholds(validation)
    rows: list[dict[str, Any]] = []
    for number, (side, scores) in enumerate(sides.items()):
        corrected = correction(scores.logits)
        clusters = Clusters.draw(scores.groups, settings.bootstrap, [settings.seed, number])
        drawn = _drawn(scores, corrected, thresholds, clusters, settings.calibration_bins)
        found = [*_measured(drawn, groups, settings), *_plain(scores, thresholds)]
        rows += [{"side": side, **row} for row in found]
    prediction = pd.DataFrame(rows)
    prediction["defined"] = np.isfinite(prediction["value"])
    prediction.to_parquet(target / "prediction.parquet", index=False)
    bins = _reliability(test, correction(test.logits), settings.calibration_bins)
    bins.to_parquet(target / "reliability.parquet", index=False)


def _thresholds(validation: Scores) -> Array:
    pairs = zip(validation.labels.T, validation.logits.T, strict=True)
    return np.array([best_f1_threshold(*pair) for pair in pairs])


def _drawn(
    scores: Scores, corrected: Array, thresholds: Array, clusters: Clusters, bins: int
) -> dict[str, Array]:
    """Per measure (1 + B, C)."""
    columns = []
    for index, threshold in enumerate(thresholds):
        labels = scores.labels[:, index]
        rows = np.flatnonzero(np.isfinite(labels))
        one = OneClass(rows, labels[rows], scores.logits[rows, index], corrected[rows, index])
        columns.append(measures(one, float(threshold), clusters, bins))
    return {name: np.column_stack([own[name] for own in columns]) for name in MEASURES}


def _measured(
    drawn: dict[str, Array], groups: Sequence[str], settings: AnalyseClassification
) -> Iterator[dict[str, Any]]:
    for measure, values in drawn.items():
        members = [np.flatnonzero([name in ("mean", own) for own in groups]) for name in GROUPS]
        means = [_defined_mean(completed(values[:, own])) for own in members]
        columns = np.column_stack([values, *means])
        low, high = percentiles(columns[1:], settings.confidence)
        names = [*((index, "class") for index in range(len(groups))), *((ALL, g) for g in GROUPS)]
        for column, (index, group) in enumerate(names):
            value = columns[0, column]
            bounds = (low[column], high[column]) if np.isfinite(value) else (np.nan, np.nan)
            yield _row(index, group, measure, value, *bounds)


def _plain(scores: Scores, thresholds: Array) -> Iterator[dict[str, Any]]:
    """What has no interval: the threshold and the counts of each class."""
    for index, labels in enumerate(scores.labels.T):
        values = {
            "threshold": float(sigmoid(thresholds[index])),
            "prevalence": scores.prevalence[index],
            "positives": float((labels == 1).sum()),
            "negatives": float((labels == 0).sum()),
        }
        for measure, value in values.items():
            yield _row(index, "class", measure, value, np.nan, np.nan)


def _row(
    index: int, group: str, measure: str, value: float, low: float, high: float
) -> dict[str, Any]:
    return {
        "class": index,
        "group": group,
        "measure": measure,
        "value": float(value),
        "ci_low": float(low),
        "ci_high": float(high),
    }


def _defined_mean(values: Array) -> Array:
    """Mean of each row's defined values; NaN where there is none."""
    defined = np.isfinite(values)
    return ratio(np.where(defined, values, 0).sum(axis=1), defined.sum(axis=1))


def _reliability(test: Scores, corrected: Array, bins: int) -> pd.DataFrame:
    """Bins of every class with a known label, before and after the correction."""
    columns = ["class", "calibrated", "bin", "predicted", "observed", "count"]
    frames = []
    for index, labels in enumerate(test.labels.T):
        known = np.isfinite(labels)
        for calibrated, logits in ((False, test.logits), (True, corrected)):
            own = reliability(sigmoid(logits[known, index]), labels[known], bins)
            frames.append(own.assign(**{"class": index, "calibrated": calibrated}))
    return pd.concat(frames, ignore_index=True)[columns]
