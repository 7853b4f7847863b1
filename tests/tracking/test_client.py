from __future__ import annotations

from pathlib import Path

from rarelens.tracking.client import connect, flatten


def test_flatten_joins_keys_by_dots() -> None:
    assert flatten({"a": 1, "b": {"c": 2, "d": {"e": [3]}}}) == {"a": 1, "b.c": 2, "b.d.e": [3]}


def test_connecting_twice_finds_the_same_experiment(project: Path) -> None:
    assert connect()[1] == connect()[1]
