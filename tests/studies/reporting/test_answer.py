"""The page's first sentences: methods are named only for claims that hold."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from rarelens.studies.reporting.answer import differing, listed, many

NAN = float("nan")


def comparison(confidence=0.95, **methods):
    """Of each method (difference, p after the correction, enough seeds) in classes a, b, …"""

    def entry(method, measure, name):
        assert measure == "dice"
        values = methods[method]["ab".index(name)]
        return pd.Series(values, ["baseline_difference", "p_holm", "sufficient_seeds"])

    return SimpleNamespace(others=tuple(methods), confidence=confidence, entry=entry)


def told(*study, classes="a"):
    return differing(study, "dice", "Dice", lambda _: list(classes))


def test_methods_stand_on_the_side_of_their_difference():
    own = comparison(
        higher=[(0.1, 0.01, True)], lower=[(-0.1, 0.01, True)], too_few=[(0.5, 0.01, False)],
        not_so=[(0.5, 0.06, True)], no_claim=[(0.5, NAN, True)],
    )  # fmt: skip
    assert told(own) == (
        "Dice is significantly above the baseline's with higher, and below it with lower."
    )


@pytest.mark.parametrize(("confidence", "found"), [(0.95, False), (0.9, True)])
def test_the_level_is_that_of_the_intervals(confidence, found):
    own = comparison(confidence, one=[(-0.1, 0.06, True)])
    assert told(own) == (
        "Dice is significantly below the baseline's with one."
        if found
        else "Dice differs significantly from the baseline's with no method."
    )


def test_of_several_classes_and_comparisons_it_is_said_how_many():
    here = comparison(one_method=[(0.1, 0.01, True), (0.1, 0.2, True)])
    there = comparison(one_method=[(0.1, 0.01, True), (-0.1, 0.01, True)])
    assert told(here, there, classes="ab") == (
        "Dice is significantly above the baseline's with one method (2 of 4), and below it with "
        "one method (1 of 4)."
    )


def test_of_many_methods_four_are_named():
    own = comparison(**{name: [(0.1, 0.01, True)] for name in "uvwxyz"})
    assert told(own).endswith("with u, v, w, x and 2 more.")


def test_without_other_methods_there_is_no_sentence():
    assert told(comparison()) == ""


def test_words():
    assert listed(["a"]) == "a"
    assert (many(1, "rare class"), many(2, "rare class")) == ("1 rare class", "2 rare classes")
    assert many(0, "pair") == "0 pairs"
