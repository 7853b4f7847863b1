"""Whatever is wrong with an input, a user reads one clear sentence, in bounded time and memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from refusals.table import PAGE, table
from refusals.tried import apart, load

BAD = load()


@pytest.mark.parametrize("number", range(len(BAD)), ids=[f"{b.area}-{b.given[:40]}" for b in BAD])
def test_a_bad_input_is_refused_in_one_clear_sentence(number: int) -> None:
    assert apart(BAD[number]) == "one clear sentence"


def test_no_two_are_the_same() -> None:
    assert len({(each.area, each.given) for each in BAD}) == len(BAD) >= 120


def test_the_page_lists_them_all() -> None:
    text = Path(PAGE).read_text(encoding="utf-8")
    assert table() in text, f"run python tests/refusals/table.py and put it into {PAGE}"
