"""How alike two representations are, and how many directions one of them uses.

Features are arrays (n, D): one row an image, one column a unit (its spatial mean). Everything is
computed in float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

FEWEST_IMAGES = 4  # The unbiased estimator divides by n(n − 3).


def debiased_linear_cka(x: ArrayLike, y: ArrayLike) -> float:
    r"""Centred kernel alignment with linear kernels and the unbiased estimator of HSIC.

    .. math:: \mathrm{CKA} = \mathrm{HSIC}_1(K, L) /
        \sqrt{\mathrm{HSIC}_1(K, K)\,\mathrm{HSIC}_1(L, L)}, \quad K = XX^T, L = YY^T

    Sources: Kornblith et al., ICML 2019 (CKA); Song et al., JMLR 2012, equation 5 (HSIC₁); Nguyen,
    Raghu and Kornblith, ICLR 2021 (their use together). The biased estimator grows with D/n and
    calls independent features alike; this one has mean about 0 for them, and can be below 0.

    Args:
        x: features (n, D) of one network.
        y: features (n, D') of another, for the same images in the same order.

    Returns:
        CKA, at most 1; NaN for fewer than 4 images or features that do not vary.

    Raises:
        ValueError: if the numbers of images differ.
    """
    variances = hsic(x, x) * hsic(y, y)
    return float(hsic(x, y) / np.sqrt(variances)) if variances > 0 else float("nan")


def hsic(x: ArrayLike, y: ArrayLike) -> float:
    """n(n − 3)·HSIC₁ of two linear kernels, without their n × n matrices where D is smaller.

    K̃ is K with a diagonal of 0: tr(K̃L̃) = ‖XᵀY‖² − Σ k_ii l_ii, K̃1 = X(Xᵀ1) − diag K. The
    factor, and the features' mean, cancel in CKA.

    Args:
        x: features (n, D).
        y: features (n, D').

    Returns:
        NaN for fewer than 4 images.

    Raises:
        ValueError: if the numbers of images differ.
    """
    first, second = _centred(x), _centred(y)
    n = len(first)
    if n != len(second):
        raise ValueError(f"{n} images on one side and {len(second)} on the other")
    if n < FEWEST_IMAGES:
        return float("nan")
    diagonals = [np.einsum("nd,nd->n", side, side) for side in (first, second)]
    sums = [
        side @ side.sum(axis=0) - own for side, own in zip((first, second), diagonals, strict=True)
    ]
    trace = _squared_product(first, second) - diagonals[0] @ diagonals[1]
    whole = sums[0].sum() * sums[1].sum() / ((n - 1) * (n - 2))
    return float(trace + whole - 2 / (n - 2) * (sums[0] @ sums[1]))


def effective_rank(features: ArrayLike) -> float:
    """The exponential of the entropy of the singular values: how many directions are used.

    erank = exp(−Σ p_i ln p_i), p_i = σ_i / Σ σ (Roy and Vetterli, EUSIPCO 2007, definition 1), of
    the centred features, so that their mean does not count as a direction.

    Args:
        features: (n, D).

    Returns:
        Between 1 and min(n − 1, D); NaN where the features do not vary.
    """
    singular = np.linalg.svd(_centred(features), compute_uv=False)
    total = singular.sum()
    if not total > 0:
        return float("nan")
    shares = singular[singular > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def nc1(features: ArrayLike, labels: ArrayLike) -> Array:
    """Variability within against between the positives and the negatives of each class.

    NC1 = tr(Σ_W Σ_B⁺) / C (Papyan, Han and Donoho, PNAS 2020), where each finding is a problem of
    C = 2 groups, positives and negatives, which count alike however many images they hold:
    Σ_W = (Σ₊ + Σ₋)/2, Σ_B = Σ_g (μ_g − μ)(μ_g − μ)ᵀ/2, μ = (μ₊ + μ₋)/2. With δ = μ₊ − μ₋ this is
    δᵀ(Σ₊ + Σ₋)δ / ‖δ‖⁴: the variance of both groups along the line between their means, in units
    of their squared distance. 0 is full collapse.

    Args:
        features: (n, D).
        labels: (n, C), 1, 0 or NaN (ignored).

    Returns:
        (C,); NaN for a class with fewer than two positives or two negatives, or equal means.
    """
    values = _centred(features)
    return np.array([_collapse(values, own) for own in np.asarray(labels, np.float64).T])


def _collapse(features: Array, labels: Array) -> float:
    groups = [features[labels == sign] for sign in (1, 0)]
    if min(map(len, groups)) < 2:
        return float("nan")
    direction = groups[0].mean(axis=0) - groups[1].mean(axis=0)
    squared = float(direction @ direction)
    if squared == 0:
        return float("nan")
    return float(sum((group @ direction).var() for group in groups) / squared**2)


def _squared_product(x: Array, y: Array) -> float:
    """‖XᵀY‖²_F, by the smaller of the two ways to write it."""
    if x.shape[1] * y.shape[1] <= len(x) ** 2:
        return float(np.square(x.T @ y).sum())
    return float(np.einsum("nm,nm->", x @ x.T, y @ y.T))


def _centred(features: ArrayLike) -> Array:
    values = np.asarray(features, dtype=np.float64)
    return values - values.mean(axis=0) if len(values) else values
