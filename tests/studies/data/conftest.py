"""A small virtual dataset with findings: coarse slices of few subjects."""

from __future__ import annotations

import pytest

from rarelens.studies.settings.classification.datasets import Finding, SimulateFindings


def finding(shape: str, prevalence: float, **values: object) -> Finding:
    """A finding of middling size, one per image, unless ``values`` say otherwise."""
    common = {"radius": (10.0, 16.0), "contrast": (0.3, 0.5), "number": (1, 1)}
    return Finding.model_validate({"shape": shape, "prevalence": prevalence, **common, **values})


@pytest.fixture(scope="session")
def findings() -> SimulateFindings:
    """All eight shapes, from common to rare, at a spacing that is quick to draw."""
    return SimulateFindings(
        seed=5,
        subjects=20,
        spacing=4.0,
        rotation=8.0,
        scaling=0.08,
        warp=3.0,
        warp_smoothness=15.0,
        bias_field=0.2,
        noise=0.03,
        contrast_change=0.3,
        images=(2, 4),
        correlation=0.2,
        findings={
            "mass": finding("mass", 0.4, number=(1, 2)),
            "shadow": finding("shadow", 0.3, radius=(18.0, 25.0)),
            "nodule": finding("nodule", 0.3, radius=(5.0, 8.0), number=(1, 3)),
            "streak": finding("streak", 0.3),
            "mottling": finding("mottling", 0.2),
            "cavity": finding("cavity", 0.2),
            "ring": finding("ring", 0.2),
            "speckles": finding("speckles", 0.2),
        },
    )
