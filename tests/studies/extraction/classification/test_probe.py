from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from rarelens.studies.extraction.classification.probe import probe_rows


@pytest.fixture
def concepts() -> pd.DataFrame:
    """40 images with class 0, 10 of them with class 1, 3 others with class 2 alone."""
    pairs = [(row, 0) for row in range(40)] + [(row, 1) for row in range(0, 40, 4)]
    pairs += [(row, 2) for row in (50, 60, 70)]
    return pd.DataFrame(sorted(pairs), columns=["row", "class"])


@pytest.mark.parametrize("most", [None, 43, 99])
def test_all_images_with_concepts_if_they_are_few(concepts, most) -> None:
    assert probe_rows(concepts, most, 0).tolist() == [*range(40), 50, 60, 70]


@pytest.mark.parametrize("most", [1, 8, 20, 42])
def test_a_draw_is_of_that_many_and_ascends(concepts, most) -> None:
    rows = probe_rows(concepts, most, 0)
    assert len(rows) == len(set(rows)) == most
    assert set(rows) <= set(concepts["row"])
    assert (np.diff(rows) > 0).all()


def test_a_rare_class_is_kept_whole(concepts) -> None:
    rows = set(probe_rows(concepts, 12, 0))
    assert {50, 60, 70} <= rows
    frequent = rows - {50, 60, 70}
    assert len({row for row in frequent if row % 4 == 0}) >= 4
    assert any(row % 4 for row in frequent)


def test_the_draw_depends_on_the_seed_but_not_on_the_order_of_rows(concepts) -> None:
    first = probe_rows(concepts, 12, 0).tolist()
    assert probe_rows(concepts.sample(frac=1, random_state=1), 12, 0).tolist() == first
    assert probe_rows(concepts, 12, 1).tolist() != first


def test_a_larger_draw_contains_the_smaller(concepts) -> None:
    draws = [set(probe_rows(concepts, most, 4)) for most in range(1, 43)]
    assert all(a < b for a, b in pairwise(draws))


def test_without_concepts_there_is_no_probe_set() -> None:
    empty = pd.DataFrame({"row": np.zeros(0, np.int64), "class": np.zeros(0, np.int64)})
    assert probe_rows(empty, 5, 0).shape == (0,)
