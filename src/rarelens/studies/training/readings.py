"""What the steps of an epoch tell of themselves, read as late as may be."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


class Readings:
    """Losses and gradients' norms, of which none may be infinite or NaN.

    To read a value is to wait for the GPU, which then stands idle: there they are all read at once,
    at the end of an epoch and before anything of it is saved. On a CPU each is read as it comes,
    and a training that has gone wrong goes no further.

    Args:
        at_once: read each as it comes.
        refuse: makes the error, from what is not finite and its step.

    Attributes:
        last: the loss that was read last.
    """

    def __init__(self, at_once: bool, refuse: Callable[[str, int], Exception]) -> None:
        self.last = math.nan
        self._at_once, self._refuse = at_once, refuse
        self._unread: list[tuple[str, int, Tensor]] = []
        self._losses: dict[int, float] = {}

    def add(self, what: str, step: int, value: Tensor) -> None:
        """Take a ``loss`` (they are summed over a step) or the norm of a ``gradient``.

        Raises:
            Exception: by ``refuse``, if it is read and not finite.
        """
        self._unread.append((what, step, value.detach()))
        if self._at_once:
            self._read()

    def mean_loss(self) -> float:
        """Of the steps since this was last asked for.

        Raises:
            Exception: by ``refuse``, for the first value that is not finite.
        """
        self._read()
        losses = list(self._losses.values())
        self._losses.clear()
        return sum(losses) / len(losses)

    def _read(self) -> None:
        if not self._unread:
            return
        values = torch.stack([value for _, _, value in self._unread]).tolist()
        for (what, step, _), value in zip(self._unread, values, strict=True):
            if not math.isfinite(value):
                raise self._refuse(what, step)
            if what == "loss":
                self._losses[step] = self.last = self._losses.get(step, 0.0) + value
        self._unread.clear()
