"""Do probabilities hold? Calibration errors, bins of reliability, and correction of the logits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

SLOPES = (0.01, 100.0)  # Bounds of 1/temperature: an uninformative class would have 0.


def calibration_errors(counts: pd.DataFrame) -> pd.DataFrame:
    """Expected calibration error per side and class, over the voxels of all its cases.

    ECE_k = Σ_b |Σ p_k − Σ [y = k]| / N over equal-width bins b of p_k, one class against the
    rest (Naeini et al., AAAI 2015; classwise as in Nixon et al., 2019).

    Args:
        counts: case, side, class, bin, count, sum_confidence, sum_positive.

    Returns:
        side, class, ece; sorted.
    """
    sums = ["count", "sum_confidence", "sum_positive"]
    by_bin = counts.groupby(["side", "class", "bin"], sort=True)[sums].sum()
    by_bin["gap"] = (by_bin["sum_confidence"] - by_bin["sum_positive"]).abs()
    totals = by_bin.groupby(["side", "class"], sort=True)[["gap", "count"]].sum()
    return (totals["gap"] / totals["count"]).rename("ece").reset_index()


def equal_mass_bins(values: ArrayLike, bins: int) -> Integers:
    """Bin of each value: as many images in each bin as ties, which stay together, allow.

    Args:
        values: (n,).
        bins: the most bins there are.

    Returns:
        (n,), 0 to ``bins`` − 1; independent of the order of the values.
    """
    values = np.asarray(values, dtype=np.float64)
    below = np.searchsorted(np.sort(values), values, side="left")
    return (below * bins // max(len(values), 1)).astype(np.int64)


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int) -> pd.DataFrame:
    """Mean probability against the share of positives, in bins of equal mass.

    Args:
        probabilities: (n,) of one class.
        labels: (n,), 1 or 0.
        bins: the most bins there are.

    Returns:
        bin, predicted, observed, count; a row for each bin that holds an image.
    """
    table = pd.DataFrame(
        {
            "bin": equal_mass_bins(probabilities, bins),
            "predicted": np.asarray(probabilities, dtype=np.float64),
            "observed": np.asarray(labels, dtype=np.float64),
        }
    )
    grouped = table.groupby("bin", sort=True)
    means = grouped[["predicted", "observed"]].mean()
    return means.assign(count=grouped.size()).reset_index()


class Correction(NamedTuple):
    """Per class, corrected logit = ``slope`` · logit + ``bias``; slope is 1/temperature."""

    slope: Array
    bias: Array

    def __call__(self, logits: ArrayLike) -> Array:
        """Corrected logits of (n, C)."""
        return np.asarray(np.asarray(logits, dtype=np.float64) * self.slope + self.bias)


def fit_correction(labels: ArrayLike, logits: ArrayLike) -> Correction:
    """Fit temperature and bias on validation images, by maximum likelihood for each class.

    The temperature undoes over-confidence (Guo et al., ICML 2017), the bias the shift of the
    prior that reweighting brings with it. The targets are Platt's, (n₊ + 1)/(n₊ + 2) and
    1/(n₋ + 2), so that classes that are told apart without error have an optimum, too (Platt,
    Advances in Large Margin Classifiers, 1999). A class with one sign on validation says nothing
    about either: it takes the one temperature that fits all other classes at once, and no bias;
    without any other class the logits stay as they are.

    Args:
        labels: (n, C), 1, 0 or NaN (ignored).
        logits: (n, C).
    """
    labels, logits = (np.asarray(side, dtype=np.float64) for side in (labels, logits))
    classes = labels.shape[1]
    known = [np.isfinite(labels[:, index]) for index in range(classes)]
    both = [len(np.unique(labels[known[index], index])) == 2 for index in range(classes)]
    targets = {c: _targets(labels[known[c], c]) for c in range(classes) if both[c]}
    values = {c: logits[known[c], c] for c in targets}
    slope, bias = np.ones(classes), np.zeros(classes)
    if targets and not all(both):
        pooled = [np.concatenate(list(side.values())) for side in (targets, values)]
        slope[:] = _fit(pooled[0], pooled[1], with_bias=False)[0]
    for index, target in targets.items():
        slope[index], bias[index] = _fit(target, values[index], with_bias=True)
    return Correction(slope, bias)


def sigmoid(logits: ArrayLike) -> Array:
    """1/(1 + exp(−z)), without overflow; NaN stays NaN."""
    return np.asarray((1 + np.tanh(np.asarray(logits, dtype=np.float64) / 2)) / 2)


def _targets(labels: Array) -> Array:
    positives = labels.sum()
    negatives = len(labels) - positives
    return np.asarray(np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2)))


def _fit(targets: Array, logits: Array, with_bias: bool) -> tuple[float, float]:
    """Slope and bias of the largest likelihood; the problem is convex."""
    from scipy.optimize import minimize

    def loss(parameters: Array) -> tuple[float, Array]:
        z = parameters[0] * logits + parameters[1]
        residual = sigmoid(z) - targets
        slopes = np.array([(residual * logits).mean(), residual.mean()])
        return float((np.logaddexp(0, z) - targets * z).mean()), slopes

    bounds = [SLOPES, (None, None) if with_bias else (0.0, 0.0)]
    options = {"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-9}
    start = np.array([1.0, 0.0])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return float(found.x[0]), float(found.x[1])
