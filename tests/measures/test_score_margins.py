"""Margins of logits and of probabilities are the same; what a type has lost is said."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from rarelens.measures.score_margins import score_margins


def logits(channels: int) -> np.ndarray:
    return np.random.default_rng(channels).normal(0, 3, (channels, 500))


@pytest.mark.parametrize("channels", [2, 3, 5])
def test_of_logits_against_a_loop_and_of_their_softmax(channels: int) -> None:
    z = logits(channels)
    expected = [[own[c] - max(np.delete(own, c)) for own in z.T] for c in range(channels)]
    found = score_margins(z, "logits", regions=False)
    np.testing.assert_allclose(found.margins, expected)
    np.testing.assert_allclose(found.probabilities, softmax(z, axis=0))
    again = score_margins(softmax(z, axis=0), "probabilities", regions=False)
    np.testing.assert_allclose(again.margins, expected, rtol=1e-6)
    assert not again.saturated.any()


def test_of_regions_against_logits_and_their_sigmoids() -> None:
    z = logits(3)
    found = score_margins(z, "logits", regions=True)
    np.testing.assert_array_equal(found.margins, [-z.max(0), *z])
    again = score_margins(expit(z), "probabilities", regions=True)
    np.testing.assert_allclose(again.margins, found.margins, rtol=1e-6)
    np.testing.assert_allclose(again.probabilities[0], 1 - expit(z).max(0))


@pytest.mark.parametrize(("kind", "bound"), [("f4", 87.3365), ("f2", 9.7041)])
def test_where_softmax_has_lost_its_digits(kind: str, bound: float) -> None:
    z = np.array([[0.0, 0, 0, 0], [3, 5, 200, -200], [1, -2, 100, -200]])
    p = softmax(z, axis=0).astype(kind)
    found = score_margins(p, "probabilities", regions=False)
    # Of the class in row 1: z = 200 and −200 are lost, 3 and 5 are not.
    assert found.saturated[1].tolist() == [False, False, True, True]
    np.testing.assert_allclose(found.margins[1, 2:], [bound, -bound], rtol=1e-5)
    np.testing.assert_allclose(found.margins[1, :2], [2, 5], rtol=1e-2)
    assert found.margins.dtype == np.float32


@pytest.mark.parametrize(("kind", "bound"), [("f4", 16.6355), ("f2", 7.6246)])
def test_a_sigmoid_of_one_is_bound_by_the_number_before_it(kind: str, bound: float) -> None:
    p = expit(np.array([[2.0, 50.0]])).astype(kind)
    found = score_margins(p, "probabilities", regions=True)
    assert found.saturated.tolist() == [[False, True], [False, True]]
    assert found.margins[1, 1] == pytest.approx(bound, rel=1e-4)
