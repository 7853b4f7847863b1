"""What the head of a section says of the shift: no more than its numbers do."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from rarelens.studies.reporting.segmentation.headline import headline

NAN = float("nan")


def sentence(train, test, shift, p=0.001, p_holm=0.01):
    """Of one rare class; each argument is a mean with its bounds."""
    found = {"margin_train": train, "margin_test": test, "shift_mean": shift}

    def entry(method, measure, class_name):
        assert (method, class_name) == ("base", "lesion")
        values = [*found[measure], 0.95, p, p_holm]
        return pd.Series(values, ["mean", "ci_low", "ci_high", "confidence", "p", "p_holm"])

    results = SimpleNamespace(
        shown_classes=(1,), classes=("background", "lesion"), rare=(1,), seeds=(0, 1, 2),
        baseline="base", others=(), entry=entry, enough_seeds=lambda *_: True,
    )  # fmt: skip
    (text,) = headline(results)
    return text


ABOVE, BELOW, AROUND = (2.0, 1.0, 3.0), (-2.0, -3.0, -1.0), (0.1, -0.9, 1.1)


@pytest.mark.parametrize(("train", "test", "shift", "said"), [
    (ABOVE, BELOW, BELOW, "over the decision boundary"),
    (ABOVE, AROUND, BELOW, "towards the decision boundary"),
    (AROUND, BELOW, BELOW, "towards the decision boundary"),
    (BELOW, BELOW, BELOW, "further beyond the decision boundary"),
    (ABOVE, ABOVE, ABOVE, "away from the boundary"),
    (BELOW, AROUND, ABOVE, "to larger margins"),
    (ABOVE, BELOW, AROUND, "an interval that includes 0"),
])  # fmt: skip
def test_a_side_of_the_boundary_is_named_only_where_the_interval_lies_there(
    train, test, shift, said
):
    assert sentence(train, test, shift).endswith(f", {said}.")


def test_a_shift_that_the_correction_takes_away_is_said_to_be_so():
    text = sentence(ABOVE, BELOW, BELOW, 0.01, 0.08)
    assert text.endswith("boundary, but not after Holm's correction (p\u00a0=\u00a00.080).")


def test_a_shift_without_interval_says_so():
    text = sentence(ABOVE, BELOW, (-2.0, NAN, NAN), NAN, NAN)
    assert text.endswith("a shift of −2.00, without interval.")
