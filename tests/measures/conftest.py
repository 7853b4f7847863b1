"""How measures are resampled in these tests."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


@pytest.fixture
def settings() -> SimpleNamespace:
    return SimpleNamespace(bootstrap=300, confidence=0.95, seed=3)
