"""The page's first sentences: methods are named only for claims that hold."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from rarelens.studies.reporting.answer import differing, holding, listed, plural
from rarelens.studies.reporting.classification.answer import _pairs as of_pairs

NAN = float("nan")


def comparison(confidence=0.95, **methods):
    """Of each method (difference, p after the correction, enough seeds) in classes a, b, …"""

    def entry(method, measure, name):
        assert measure == "dice"
        values = methods[method]["ab".index(name)]
        return pd.Series(values, ["baseline_difference", "p_holm", "sufficient_seeds"])

    return SimpleNamespace(others=tuple(methods), confidence=confidence, entry=entry)


def told(*study, classes="a"):
    return differing(study, "dice", "Dice", "rare class", lambda _: list(classes))


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
        else "Dice does not differ significantly from the baseline's with one."
    )


def test_of_several_classes_and_comparisons_it_is_said_how_many():
    here = comparison(one_method=[(0.1, 0.01, True), (0.1, 0.2, True)])
    there = comparison(one_method=[(0.1, 0.01, True), (-0.1, 0.01, True)])
    assert told(here, there, classes="ab") == (
        "Dice is significantly above the baseline's with one method (in 2 of the 4 rare "
        "classes), and below it with one method (in 1 of the 4 rare classes)."
    )


def test_of_many_methods_four_are_named():
    own = comparison(**{name: [(0.1, 0.01, True)] for name in "uvwxyz"})
    assert told(own).endswith("with u, v, w, x and 2 more.")


def test_without_other_methods_there_is_no_sentence():
    assert told(comparison()) == ""


def test_words():
    assert listed(["a"]) == "a"
    assert (plural("rare class"), plural("pair")) == ("rare classes", "pairs")


def test_of_several_methods_that_do_not_differ_none_is_named():
    own = comparison(one=[(0.1, 0.5, True)], other=[(0.1, 0.5, True)])
    assert told(own).endswith("from the baseline's with any of the 2 other methods.")


@pytest.mark.parametrize(("rare", "background", "text"), [
    ((1, 1), (0, 1), "is for the rare class, but not for the background"),
    ((1, 1), (1, 1), "is for the rare class and for the background"),
    ((0, 1), (0, 1), "is not for the rare class or for the background"),
    ((2, 2), (0, 2), "is for both rare classes, but not for either of the 2 backgrounds"),
    ((7, 8), (1, 4), "is for 7 of the 8 rare classes and for 1 of the 4 backgrounds"),
    ((8, 8), (0, 4), "is for all 8 rare classes, but not for any of the 4 backgrounds"),
    ((0, 3), (0, 1), "is not for any of the 3 rare classes or for the background"),
])  # fmt: skip
def test_of_what_something_holds(rare, background, text):
    assert holding("is", "is not", (*rare, "rare class"), (*background, "background")) == text


def pair(performance, inside, hidden):
    answer = SimpleNamespace(performance=performance, inside=inside, hidden=hidden)
    return SimpleNamespace(answer=answer)


ALIKE, HIDDEN = pair("equivalent", False, False), pair("equivalent", True, True)
INSIDE, OPEN = pair("different", True, False), pair("undecided", False, False)


@pytest.mark.parametrize(("pairs", "start", "end"), [
    ([OPEN], "The two methods are not shown to perform", "and are not shown to differ"),
    ([INSIDE], "The two methods are not shown to perform", "but differ significantly inside"),
    ([HIDDEN], "The two methods are shown to perform equivalently", "and differ significantly"),
    ([ALIKE], "The two methods are shown to perform equivalently", "but are not shown to differ"),
    ([OPEN] * 3, "None of the 3 pairs of methods is shown", "none of them differs significantly"),
    ([INSIDE] * 3, "None of the 3 pairs of methods is shown to", "3 of them differ significantly"),
    ([HIDDEN, ALIKE, INSIDE], "2 of the 3 pairs of methods perform equivalently",
     "of these 1 differs significantly inside (in alignment, units or features), of all pairs 2."),
    ([ALIKE, OPEN], "1 of the 2 pairs of methods performs equivalently",
     "of these none differs significantly inside (in alignment, units or features), of all pairs "
     "none."),
])  # fmt: skip
def test_pairs_are_counted_and_nothing_is_said_beyond(pairs, start, end):
    text = of_pairs([SimpleNamespace(pairs=pairs)])
    assert text.startswith(start)
    assert end in text
