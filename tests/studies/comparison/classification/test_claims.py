"""What is claimed of a pair, from differences written by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rarelens.measures.statistics import UNDEFINED, Estimate, equivalence, student
from rarelens.studies.comparison.classification.claims import answer, answers
from rarelens.studies.settings.results import Compare

SETTINGS = Compare(bootstrap=2, confidence=0.95, equivalence=0.02, least_positives=5, seed=0)
SMALL, LARGE = (0.001, -0.002, 0.0015, 0.0005), (0.1, 0.11, 0.105, 0.098)
NONE = UNDEFINED._replace(mean=0.001, seeds=4)  # A difference that cannot be tested.


def gap(values) -> Estimate:
    return student(np.array(values), 0.95)


def claims(performance, inside=()):
    return pd.DataFrame(answers(performance, inside, SETTINGS)).set_index("quantity")


def test_all_differences_must_be_within_the_margin():
    """The claim's p is that of the class that is least within, without correction."""
    least = gap((0.01, 0.004, 0.013, 0.009))
    found = claims([gap(SMALL), least, gap(SMALL)]).loc["performs_alike"]
    assert found["p"] == equivalence(least, 0.02)
    assert found["value_a"] > 0.013
    assert claims([gap(SMALL), gap(LARGE)])["p"]["performs_alike"] > 0.5


def test_a_difference_without_p_leaves_no_claim_of_equivalence_and_an_undefined_class_does_not():
    assert not claims([gap(SMALL), NONE])["claim"]["performs_alike"]
    assert claims([gap(SMALL), UNDEFINED])["claim"]["performs_alike"]
    assert not claims([UNDEFINED])["claim"].any()


def test_a_claim_of_difference_is_corrected_by_how_many_were_looked_at():
    found = claims([gap(SMALL), gap(LARGE)], [gap(LARGE), gap(SMALL), gap(SMALL), NONE])
    assert found["p"]["performs_differently"] == pytest.approx(2 * gap(LARGE).p)
    assert found["p"]["differs_inside"] == pytest.approx(3 * gap(LARGE).p)
    assert claims([gap((0.01, -0.01, 0.02, -0.02))] * 9)["p"]["performs_differently"] == 1


@pytest.mark.parametrize(("p", "expected"), [
    ((0.01, 0.2, 0.01), ("equivalent", True)), ((0.2, 0.01, 0.01), ("different", True)),
    ((0.01, 0.01, 0.2), ("equivalent", False)), ((0.2, 0.2, 0.01), ("undecided", True)),
    ((np.nan, np.nan, np.nan), ("undecided", False)),
])  # fmt: skip
def test_answers_are_read_from_the_corrected_p(p, expected):
    rows = claims([gap(SMALL)]).reset_index().assign(p_holm=p, confidence=0.95)
    found = answer(rows)
    assert (found.performance, found.inside) == expected
    assert found.hidden == (expected == ("equivalent", True))
