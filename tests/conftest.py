"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data, or a skip that says how to get it."""
    folder = os.environ.get("RARELENS_REAL_DATA")
    if not folder:
        pytest.skip("set RARELENS_REAL_DATA to the folder with Task04_Hippocampus")
    return Path(folder).resolve()
