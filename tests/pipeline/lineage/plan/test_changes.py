"""How a changed list is told."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rarelens.pipeline.lineage.plan.parameters import changes

LONG = [f"method_{number}" for number in range(10)]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (LONG, [*LONG, "poly"], 'added ["poly"]'),
        ([*LONG, "poly"], LONG, 'removed ["poly"]'),
        ([*LONG, "old"], [*LONG, "new"], 'added ["new"]; removed ["old"]'),
        ([0, 1], [0, 1, 2], "[0, 1] → [0, 1, 2]"),
    ],
)
def test_of_a_long_list_what_came_and_went_is_told(old, new, told) -> None:
    dependency = SimpleNamespace(hash_info=SimpleNamespace(value={"a": old}), params=["a"])
    assert changes(dependency, {"a": new}) == [f"a: {told}"]
