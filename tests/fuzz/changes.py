"""What fuzzing changes: bytes of files, values of descriptions."""

from __future__ import annotations

import copy
import os
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# A short run in the tests; `long.py` and RARELENS_FUZZ=20000 make a long one.
fuzzed = settings(
    max_examples=int(os.environ.get("RARELENS_FUZZ", "25")),
    deadline=timedelta(seconds=20),
    suppress_health_check=list(HealthCheck),
    derandomize="RARELENS_FUZZ" not in os.environ,
)

_EDITS = st.lists(
    st.tuples(
        st.sampled_from(["set", "cut", "insert", "drop", "repeat"]),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=9),
    ),
    max_size=6,
)
_NUMBERS = st.integers() | st.floats() | st.sampled_from([2**31, 2**32, 2**63, 10**30, -1, 0])
VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(max_size=20) | st.just("a/../../b"),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=8), below),
    max_leaves=8,
)


@st.composite
def changed_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """The content with up to six edits, most of them near its beginning; or any bytes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=600))
    changed = bytearray(content)
    for kind, at, new in draw(_EDITS):
        place = int(at**3 * len(changed))
        if kind == "set":
            changed[place : place + len(new)] = new
        elif kind == "cut":
            del changed[place:]
        elif kind == "insert":
            changed[place:place] = new
        elif kind == "drop":
            del changed[place : place + len(new)]
        else:
            changed[place:place] = changed[place : place + 64]
    return bytes(changed)


@st.composite
def changed_values(draw: st.DrawFn, value: Any) -> Any:
    """Plain values with up to three of them replaced, removed or added."""
    changed = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        _change(draw, changed)
    return draw(VALUES) if draw(st.integers(0, 19)) == 0 else changed


def _change(draw: st.DrawFn, value: Any) -> None:
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        below = value[key]
        if not (isinstance(below, dict | list) and below and draw(st.integers(0, 4))):
            break
        value = below
    what = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
    if what == "replace":
        value[key] = draw(VALUES)
    elif what == "remove":
        del value[key]
    elif isinstance(value, dict):
        value[draw(st.text(max_size=8))] = draw(VALUES)
    else:
        value.append(draw(VALUES))
