"""Post-hoc logit adjustment by the class priors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

__all__ = ["LogitAdjustment"]


class LogitAdjustment:
    r"""Decide by :math:`z_c - \tau \log \pi_c` (Menon et al., ICLR 2021).

    Args:
        class_priors: π, shares of voxels in the training subset; a class without any counts as
            a share of 1e-8.
        tau: τ, the temperature of the prior.

    Examples:
        >>> LogitAdjustment([0.9, 0.1])([]).round(3).tolist()
        [0.10499999672174454, 2.302999973297119]
    """

    def __init__(self, class_priors: Sequence[float], tau: Annotated[float, Gt(0)] = 1.0) -> None:
        self.class_priors = class_priors
        self.tau = tau

    def __call__(
        self,
        cases: Iterable[tuple[NDArray[np.float32], NDArray[Any]]],  # noqa: ARG002 (the protocol)
    ) -> NDArray[np.float32]:
        """The bias (C,)."""
        priors = np.maximum(np.asarray(self.class_priors, np.float64), 1e-8)
        return (-self.tau * np.log(priors)).astype(np.float32)
