"""How far a mean may lie from the truth: a sum of independent Student's t.

Source: Behrens, Landwirtschaftliche Jahrbücher 1929; Fisher, Annals of Eugenics 1935. Of one part
it is Student's t. Of two, one with few degrees of freedom, Satterthwaite's single t claims too
often, most of all in the tails, where a correction over many claims looks: what three seeds differ
in can be small by chance, and then the many degrees of freedom of the patients stand for both
(``benchmarks/tails.py``).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Part(NamedTuple):
    """A standard error, and the degrees of freedom of its variance (``math.inf``: known)."""

    size: float
    freedom: float


class Error(NamedTuple):
    """The distribution of a mean around the truth.

    Its ``parts``, one or two, are independent; a part of size 0 adds nothing.
    """

    parts: tuple[Part, ...]

    @property
    def size(self) -> float:
        """The standard error."""
        return math.hypot(*(part.size for part in self.parts))

    def beyond(self, distance: float) -> float:
        """P that the mean lies more than ``distance`` above the truth.

        Examples:
            >>> round(Error((Part(1.0, 2), Part(0.5, 20))).beyond(4.303), 3)
            0.026
        """
        small, large = self._by_size()
        if not small.size:
            return float(_above(np.array(distance / large.size), large.freedom))
        nodes, weights = _quadrature(small.freedom)
        return float(weights @ _above((distance - small.size * nodes) / large.size, large.freedom))

    def reach(self, tail: float) -> float:
        """The distance beyond which the mean lies with probability ``tail``, below one half."""
        from scipy.optimize import brentq
        from scipy.stats import t

        small, large = self._by_size()
        alone = [part.size * float(t.isf(tail, part.freedom)) for part in (small, large)]
        if not small.size:
            return alone[1]
        return float(brentq(lambda x: self.beyond(x) - tail, max(alone), 2 * sum(alone), rtol=1e-6))

    def interval(self, mean: float, confidence: float) -> tuple[float, float, float]:
        """Bounds of the interval of a mean, and the two-sided p that it is 0."""
        reach = self.reach((1 - confidence) / 2)
        return mean - reach, mean + reach, 2 * self.beyond(abs(mean))

    def _by_size(self) -> tuple[Part, Part]:
        # What is a millionth of the rest is none, and no grid would see it.
        small, large = sorted((*self.parts, Part(0.0, math.inf))[:2])
        return (small if small.size > 1e-6 * large.size else Part(0.0, math.inf)), large


def _above(values: Array, freedom: float) -> Array:
    """P of Student's t above each value; as scipy.stats', but fast for one call."""
    from scipy.special import ndtr, stdtr

    found: Array = ndtr(-values) if math.isinf(freedom) else stdtr(freedom, -values)
    return found


@lru_cache(maxsize=64)
def _quadrature(freedom: float) -> tuple[Array, Array]:
    """Nodes and weights of the mean of a function of Student's t: trapezia in its inverse sinh.

    Probabilities of a sum come out to 3e-5 of themselves; of two Cauchy, far out, to a hundredth.
    """
    # scipy.stats takes a second to import, and only this module needs it.
    from scipy.stats import t

    steps, width = np.linspace(-18.0, 18.0, 721, retstep=True)
    nodes = np.sinh(steps)
    return nodes, width * np.cosh(steps) * t.pdf(nodes, freedom)
