"""A training that is stopped half-way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rarelens.studies.training.run import Unobserved


@contextmanager
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within it, a training with epochs of two steps is stopped after the second one."""

    def epoch(_: Unobserved, row: dict[str, float]) -> None:
        if row["step"] == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Unobserved, "epoch", epoch)
        with pytest.raises(KeyboardInterrupt):
            yield
