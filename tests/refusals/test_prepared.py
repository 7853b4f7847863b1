"""What prepared data hold beside images and labels is checked before any training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stages_run
from rarelens.errors import RarelensError


@pytest.mark.parametrize(
    ("name", "pattern", "says"),
    [
        ("cells of volumes", "embedded/foreground/*.npy", r"foreground/\w+\.npy is not of this"),
        ("cells of images", "embedded_findings/concepts.npy", r"concepts\.npy, mask 0: not as it"),
    ],
)
def test_a_changed_byte_is_noticed(project: Path, name: str, pattern: str, says: str) -> None:
    action = stages_run.action(name)
    action()
    array = np.load(next(Path("data/prepared").glob(pattern)), mmap_mode="r+")
    array.reshape(-1).view(np.uint8)[0] ^= 1
    array.flush()
    with pytest.raises(RarelensError, match=says):
        action()
