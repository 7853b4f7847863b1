"""A user's mistake, as it is told."""

from __future__ import annotations

import pickle

from rarelens.errors import RarelensError


def test_an_error_of_several_sentences_keeps_them_from_another_process() -> None:
    found = pickle.loads(pickle.dumps(RarelensError("one", "two")))
    assert found.problems == ("one", "two")
    assert str(found) == "one\ntwo"
