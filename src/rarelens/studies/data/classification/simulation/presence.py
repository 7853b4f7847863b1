"""Which images of a subject show which findings: a Gaussian copula with exact marginals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from rarelens.studies.settings.classification.datasets import SimulateFindings


def draw_presence(settings: SimulateFindings, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw the number of a subject's images, and what each shows: (images, findings).

    A finding f is present in image i where its latent normal variable lies below the quantile
    Φ⁻¹ of its prevalence, so that each prevalence holds exactly in expectation. With c the
    ``correlation``, the variable is

        z = c s + √(c(1−c)) (u_f + v_i) + (1−c) e_if

    of independent standard normals: s of the subject, u of its finding, v of its image, e of both.
    Its variance is 1; two variables correlate by c if they share the finding (in two images) or
    the image (of two findings), and by c² if they share the subject alone.
    """
    images = int(rng.integers(settings.images[0], settings.images[1], endpoint=True))
    findings = len(settings.findings)
    subject = rng.standard_normal()
    finding = rng.standard_normal(findings)
    image = rng.standard_normal((images, 1))
    own = rng.standard_normal((images, findings))
    c = settings.correlation
    latent = c * subject + np.sqrt(c * (1 - c)) * (finding + image) + (1 - c) * own
    prevalence = np.array([finding.prevalence for finding in settings.findings.values()])
    return np.asarray(latent < ndtri(prevalence))
