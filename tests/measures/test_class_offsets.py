"""Offsets against label maps made anew at every offset; gains where there is one, and none."""

from __future__ import annotations

import numpy as np
import pytest

from rarelens.measures.class_offsets import (
    OFFSETS,
    OffsetCounts,
    cross_fitted_gain,
    fit_offset,
)
from rarelens.measures.score_margins import score_margins


def test_dice_at_every_offset_is_that_of_the_label_map() -> None:
    rng = np.random.default_rng(0)
    z, truth = rng.normal(0, 2, (3, 400)), rng.integers(0, 3, 400)
    for c in (1, 2):
        margins = score_margins(z, "logits", regions=False).margins[c]
        parts = [slice(0, 150), slice(150, 400)]
        counts = [OffsetCounts.of(margins[part], truth[part] == c) for part in parts]
        found = (counts[0] + counts[1]).dice(int((truth == c).sum()))
        for offset, dice in zip(OFFSETS, found, strict=True):
            said = (z + offset * (np.arange(3) == c)[:, None]).argmax(0) == c
            both = (said & (truth == c)).sum()
            assert dice == 2 * both / (said.sum() + (truth == c).sum())


def test_of_offsets_as_good_the_one_nearest_to_0_is_fitted() -> None:
    flat = np.full((4, len(OFFSETS)), 0.5)
    assert fit_offset(flat) == 0
    peak = flat.copy()
    peak[:, OFFSETS == 2] = 0.9
    assert fit_offset(peak) == 2
    # One patient alone is better at 2: less than the standard error.
    single = flat.copy()
    single[0, OFFSETS == 2] = 0.9
    assert fit_offset(single) == 0


def test_no_patient_is_judged_by_an_offset_fitted_on_it() -> None:
    """Each patient is best at an offset of its own, so that others' offsets do not help it."""
    curves = np.full((12, len(OFFSETS)), 0.5)
    for patient, row in enumerate(curves):
        row[21 + patient * 2] = 0.9
    found = cross_fitted_gain(curves, folds=12)
    assert found.gain == 0
    assert found.best == pytest.approx(0.5 + 0.4 / 12)


@pytest.mark.parametrize(("patients", "known"), [(0, [0, 0, 0]), (2, [1, 0, 0]), (3, [1, 1, 1])])
def test_few_patients(patients: int, known: list[int]) -> None:
    curves = np.full((patients, len(OFFSETS)), 0.5)
    found = cross_fitted_gain(curves)
    assert np.isfinite([found.value, found.gain, found.low]).tolist() == [bool(k) for k in known]


def patient(rng: np.random.Generator, shift: float) -> np.ndarray:
    """Dice at every offset; at shift 0 that of many patients is largest at offset 0."""
    inside = rng.random(400) < 0.2
    margins = np.where(inside, rng.normal(1.5, 2, 400), rng.normal(-3, 2, 400))
    margins += rng.normal(0, 0.7) + shift
    return OffsetCounts.of(margins.astype(np.float32), inside).dice(int(inside.sum()))


def gains(shift: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    draws = [np.array([patient(rng, shift) for _ in range(12)]) for _ in range(200)]
    return np.array([cross_fitted_gain(own) for own in draws])


def test_where_nothing_is_to_gain_the_gain_is_0_within_its_interval() -> None:
    rng = np.random.default_rng(2)
    whole = np.mean([patient(rng, 0) for _ in range(3000)], axis=0)
    assert OFFSETS[whole.argmax()] == 0
    found = gains(0)
    within = (found[:, 2] <= 0) & (found[:, 3] >= 0)
    assert within.mean() >= 0.93
    assert abs(found[:, 1].mean()) < 0.002


def test_a_boundary_in_the_wrong_place_is_found_and_moved_back() -> None:
    found = gains(-2)
    assert (found[:, 2] > 0).mean() > 0.9
    assert 1.25 <= np.median(found[:, 0]) <= 2
