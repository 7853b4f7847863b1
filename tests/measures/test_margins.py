"""The margin by its definition, and counts of margins that add up."""

from __future__ import annotations

import numpy as np
import pytest

from rarelens.measures.margins import MarginCounts, finding_margins, voxel_margins


def test_margin_of_a_voxel_by_its_definition() -> None:
    logits = np.random.default_rng(0).normal(size=(4, 50)).astype(np.float32)
    for label in range(4):
        expected = [
            logits[label, voxel] - max(logits[k, voxel] for k in range(4) if k != label)
            for voxel in range(50)
        ]
        np.testing.assert_array_equal(voxel_margins(logits, label), expected)


def test_margin_of_a_finding_is_that_of_the_logits_zero_and_z() -> None:
    z = np.random.default_rng(1).normal(size=20)
    present = z > np.median(z) / 2
    two = np.stack([np.zeros_like(z), z])
    expected = np.where(present, voxel_margins(two, 1), voxel_margins(two, 0))
    np.testing.assert_array_equal(finding_margins(z, present), expected)


def test_counts_of_parts_add_up_to_those_of_the_whole() -> None:
    margins = np.random.default_rng(2).normal(0, 3, 1000)
    whole = MarginCounts.of(margins, 0.25)
    parts = MarginCounts.of(margins[:300], 0.25) + MarginCounts.of(margins[300:], 0.25)
    np.testing.assert_array_equal(parts.bins, whole.bins)
    np.testing.assert_array_equal(parts.counts, whole.counts)
    np.testing.assert_allclose(parts.moments, whole.moments)
    assert whole.counts.sum() == 1000


def test_margins_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        MarginCounts.of(np.array([0.0, np.inf]), 0.25)
