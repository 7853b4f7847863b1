"""The formulas of the objectives in NumPy, float64, as they are defined; for comparison in tests.

Logits z and truth y are (B, C, *spatial); y holds shares of the classes. Voxel-wise formulas
return (B, *spatial), overlap formulas a value for each sample and class, (B, K).
"""

from __future__ import annotations

import numpy as np


def log_softmax(z: np.ndarray) -> np.ndarray:
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def misses(z: np.ndarray) -> np.ndarray:
    """1 − p_c as the sum of the other classes' shares, which keeps its digits near 0."""
    p = np.exp(log_softmax(z))
    return np.stack([np.delete(p, c, axis=1).sum(axis=1) for c in range(p.shape[1])], axis=1)


def classes(values: np.ndarray | list[float], z: np.ndarray) -> np.ndarray:
    return np.asarray(values, float).reshape(1, -1, *[1] * (z.ndim - 2))


def membership(chosen: list[int], z: np.ndarray) -> np.ndarray:
    return classes([float(c in chosen) for c in range(z.shape[1])], z)


def sums(values: np.ndarray) -> np.ndarray:
    return values.reshape(*values.shape[:2], -1).sum(axis=2)


def cross_entropy(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -(y * log_softmax(z)).sum(axis=1)


def focal(z: np.ndarray, y: np.ndarray, gamma: float, rare: list[int]) -> np.ndarray:
    r = membership(rare, z)
    entropies = y * log_softmax(z)
    return -(r * entropies + (1 - r) * misses(z) ** gamma * entropies).sum(axis=1)


def focal_margin(
    z: np.ndarray, y: np.ndarray, gamma: float, margin: float, rare: list[int] | None
) -> np.ndarray:
    with_margin = list(range(z.shape[1])) if rare is None else rare
    return focal(z - margin * y * membership(with_margin, z), y, gamma, rare or [])


def focal_dice(
    z: np.ndarray, y: np.ndarray, gamma: float, rare: list[int], smooth: float
) -> np.ndarray:
    p, q = np.exp(log_softmax(z)), misses(z)
    weight = np.where(membership(rare, z) == 1, 1.0, q**gamma)
    tp, fp, fn, wfn = sums(p * y), sums(p * (1 - y)), sums(q * y), sums(weight * q * y)
    return ((fp + wfn) / (2 * tp + fp + fn + smooth))[:, 1:]


def topk_cross_entropy(z: np.ndarray, y: np.ndarray, count: int) -> float:
    return float(np.sort(cross_entropy(z, y), axis=None)[::-1][:count].mean())


def unified_focal(
    z: np.ndarray, y: np.ndarray, weight: float, delta: float, gamma: float, rare: list[int]
) -> np.ndarray:
    """λ·F + (1 − λ)·T of each sample, (B,)."""
    r = membership(rare, z)
    p, q = np.exp(log_softmax(z)), misses(z)
    entropies = y * log_softmax(z)
    voxels = -(delta * r * entropies + (1 - delta) * (1 - r) * q**gamma * entropies).sum(axis=1)
    focal = voxels.reshape(len(z), -1).mean(axis=1)
    tp, fn, fp = sums(p * y), sums(q * y), sums(p * (1 - y))
    complement = 1 - tp / (tp + delta * fn + (1 - delta) * fp)
    is_rare = np.isin(np.arange(z.shape[1]), rare)
    tversky = np.where(is_rare, complement ** (1 - gamma), complement).mean(axis=1)
    return weight * focal + (1 - weight) * tversky


def logit_adjusted(z: np.ndarray, y: np.ndarray, priors: list[float], tau: float) -> np.ndarray:
    return cross_entropy(z + tau * np.log(classes(priors, z)), y)


def ldam(
    z: np.ndarray, y: np.ndarray, counts: list[float], max_margin: float, scale: float
) -> np.ndarray:
    deltas = np.asarray(counts, float) ** -0.25
    deltas *= max_margin / deltas.max()
    return cross_entropy(scale * (z - classes(deltas, z) * y), y)


def vector_scaling(
    z: np.ndarray, y: np.ndarray, counts: list[float], gamma: float, tau: float
) -> np.ndarray:
    n = np.asarray(counts, float)
    factors, priors = (n / n.max()) ** gamma, n / n.sum()
    return cross_entropy(classes(factors, z) * z + tau * np.log(classes(priors, z)), y)


def tversky(z: np.ndarray, y: np.ndarray, beta: float, smooth: float) -> np.ndarray:
    """1 − F_β of each sample and foreground class; β = 1 with half of ``smooth`` is Dice."""
    p, q = np.exp(log_softmax(z)), misses(z)
    tp, fp, fn = sums(p * y), sums(p * (1 - y)), sums(q * y)
    b = beta**2
    index = (tp + smooth) / (tp + fp / (1 + b) + b * fn / (1 + b) + smooth)
    return 1 - index[:, 1:]


def generalised_dice(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of each sample, (B,); every class must be present in it."""
    p = np.exp(log_softmax(z))
    w = 1 / sums(y) ** 2
    return 1 - 2 * (w * sums(p * y)).sum(axis=1) / (w * (sums(p) + sums(y))).sum(axis=1)
