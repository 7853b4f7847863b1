"""A linear classifier on frozen features: did the features change, or the classifier on them?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rarelens.measures.ranking import Ranking, ranking

Array = NDArray[np.float64]

MOST_STEPS = 1000  # Newton steps; a handful suffice, for the problem is strictly convex.


def linear_probe(
    train_x: ArrayLike,
    train_y: ArrayLike,
    test_x: ArrayLike,
    test_y: ArrayLike,
    regularisation: float,
) -> Ranking:
    """Logistic regression per class on training features, judged on test features.

    Features are standardised by the training images' mean and standard deviation, so that the
    penalty weighs all units alike (Alain and Bengio, 2016, for the idea of a probe).

    Args:
        train_x: (n, D).
        train_y: (n, C), 1, 0 or NaN (ignored).
        test_x: (m, D).
        test_y: (m, C).
        regularisation: inverse strength: weight of the summed log-loss beside half the squared
            norm of the coefficients (scikit-learn's ``C``).

    Returns:
        AUROC and average precision, (C,) each; NaN for a class of one sign on either side.
    """
    x, other = (np.asarray(side, dtype=np.float64) for side in (train_x, test_x))
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    x, other = (x - mean) / deviation, (other - mean) / deviation
    pairs = zip(np.asarray(train_y).T, np.asarray(test_y).T, strict=True)
    found = [_probe(x, train, other, test, regularisation) for train, test in pairs]
    return Ranking(*(np.array(values, dtype=np.float64) for values in zip(*found, strict=True)))


def _probe(
    train_x: Array, train_y: Array, test_x: Array, test_y: Array, regularisation: float
) -> tuple[float, float]:
    known, judged = np.isfinite(train_y), np.isfinite(test_y)
    if any(len(np.unique(own)) < 2 for own in (train_y[known], test_y[judged])):
        return float("nan"), float("nan")
    # scikit-learn takes a second to import, and only this function needs it.
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=regularisation, solver="newton-cholesky", max_iter=MOST_STEPS)
    model.fit(train_x[known], train_y[known].astype(int))
    scores = model.decision_function(test_x[judged])
    found = ranking(test_y[judged], scores, np.ones((1, len(scores))))
    return float(found.auroc[0]), float(found.average_precision[0])
