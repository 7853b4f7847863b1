"""Logits and targets for the objectives, and NumPy float64 versions of their common parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """log p of logits (B, C, *spatial), from the definition, shifted by the largest logit."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def misses(logits: np.ndarray) -> np.ndarray:
    """1 − p_c as the sum of the other classes' shares, which keeps its digits near 0."""
    p = np.exp(log_softmax(logits))
    others = [np.delete(p, c, axis=1).sum(axis=1) for c in range(p.shape[1])]
    return np.stack(others, axis=1)


def one_hot(target: np.ndarray, classes: int) -> np.ndarray:
    """Shares (B, C, *spatial) of an index target (B, *spatial)."""
    return np.stack([target == c for c in range(classes)], axis=1).astype(np.float64)


@dataclass(frozen=True)
class Sample:
    """Float64 logits (B, C, *spatial), and a target in its three forms."""

    logits: Tensor
    index: Tensor

    @property
    def classes(self) -> int:
        return self.logits.shape[1]

    @property
    def z(self) -> np.ndarray:
        return self.logits.numpy()

    @property
    def y(self) -> np.ndarray:
        return one_hot(self.index.numpy(), self.classes)

    @property
    def hard(self) -> Tensor:
        """The index target as one-hot shares."""
        return torch.from_numpy(self.y)

    @property
    def soft(self) -> Tensor:
        """Shares that are no one-hot: those of mixed-up voxels."""
        return 0.7 * self.hard + 0.3 * self.hard.flip(0)


@pytest.fixture
def draw() -> Callable[..., Sample]:
    """Draws a sample; every class occurs in it."""

    def make(classes: int = 3, spatial: tuple[int, ...] = (4, 5), scale: float = 3.0) -> Sample:
        rng = np.random.default_rng([classes, len(spatial)])
        shape = (2, *spatial)
        logits = scale * rng.standard_normal((2, classes, *spatial))
        index = rng.permutation(np.arange(np.prod(shape)) % classes).reshape(shape)
        return Sample(torch.from_numpy(logits), torch.from_numpy(index))

    return make


@pytest.fixture(
    params=[(2, (4, 5), 3.0), (5, (4, 5), 3.0), (2, (3, 4, 5), 3.0), (5, (3, 4, 5), 1e4)],
    ids=["2 classes 2-D", "5 classes 2-D", "2 classes 3-D", "5 classes 3-D, extreme"],
)
def sample(request, draw) -> Sample:
    return draw(*request.param)


@dataclass(frozen=True)
class NumPy:
    """The parts that the formulas of the objectives are written with."""

    log_softmax: Callable[[np.ndarray], np.ndarray] = log_softmax
    misses: Callable[[np.ndarray], np.ndarray] = misses


@pytest.fixture
def numpy() -> NumPy:
    return NumPy()
