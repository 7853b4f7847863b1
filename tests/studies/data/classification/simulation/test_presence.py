"""Which findings are where: exact marginals, and the correlations that were asked for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from rarelens.studies.data.classification.simulation.presence import draw_presence
from rarelens.studies.settings.classification.datasets import Finding, SimulateFindings

SUBJECTS = 4000
IMAGES = 3


def study(findings: SimulateFindings, correlation: float, *prevalences: float) -> SimulateFindings:
    like = findings.findings["mass"]
    named: dict[str, Finding] = {
        f"finding{index}": like.model_copy(update={"prevalence": prevalence})
        for index, prevalence in enumerate(prevalences)
    }
    update = {"correlation": correlation, "images": (IMAGES, IMAGES), "findings": named}
    return findings.model_copy(update=update)


def drawn(settings: SimulateFindings) -> np.ndarray:
    """Presence of (subjects, images, findings)."""
    streams = (np.random.default_rng([1, number]) for number in range(SUBJECTS))
    return np.stack([draw_presence(settings, rng) for rng in streams])


def joint(prevalence: tuple[float, float], correlation: float) -> float:
    """Probability of both, by the bivariate normal distribution function."""
    covariance = [[1, correlation], [correlation, 1]]
    return float(multivariate_normal([0, 0], covariance).cdf(norm.ppf(prevalence)))


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.9])
def test_each_prevalence_holds_whatever_the_correlation(
    findings: SimulateFindings, correlation: float
) -> None:
    wanted = np.array([0.3, 0.1, 0.01])
    present = drawn(study(findings, correlation, *wanted))
    means = present.mean(1)  # subjects are independent, images of one are not
    deviation = means.std(0, ddof=1) / np.sqrt(SUBJECTS)
    assert (np.abs(means.mean(0) - wanted) < 4 * deviation).all()
    assert (deviation < 0.01).all()


@pytest.mark.parametrize("correlation", [0.0, 0.4, 0.8])
def test_findings_meet_as_often_as_the_copula_says(
    findings: SimulateFindings, correlation: float
) -> None:
    wanted = (0.3, 0.2)
    present = drawn(study(findings, correlation, *wanted))
    first, second = present[..., 0], present[..., 1]
    same_image = (first & second).mean()
    same_finding = np.mean([first[:, a] & first[:, b] for a, b in pairwise(range(IMAGES))])
    neither = np.mean([first[:, a] & second[:, b] for a, b in pairwise(range(IMAGES))])
    assert same_image == pytest.approx(joint(wanted, correlation), abs=0.015)
    assert same_finding == pytest.approx(joint((0.3, 0.3), correlation), abs=0.02)
    assert neither == pytest.approx(joint(wanted, correlation**2), abs=0.02)


def test_number_of_images_covers_its_range(findings: SimulateFindings) -> None:
    counts = [len(draw_presence(findings, np.random.default_rng(n))) for n in range(100)]
    assert set(counts) == {2, 3, 4}
