"""A class in a case against `rarelens.measures.overlap`, plain loops, and in pieces."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from rarelens.measures import class_summary
from rarelens.measures.class_summary import summarise
from rarelens.measures.lesions import lesion_rows
from rarelens.measures.overlap import overlap

SHAPE = (7, 9, 8)


def case() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 3, SHAPE)
    logits = rng.normal(0, 2, (4, *SHAPE))
    for c in range(3):
        logits[c][truth == c] += 2
    return truth, logits


def summary(valid: np.ndarray | None = None) -> list[class_summary.ClassSummary]:
    truth, logits = case()
    counted = np.ones(SHAPE, bool) if valid is None else valid
    masks = [(truth == c) & counted for c in range(4)]
    said = [(logits.argmax(0) == c) & counted for c in range(4)]
    return summarise(masks, said, (1, 1, 2), valid, softmax(logits, axis=0), "probabilities")


def test_overlap_is_that_of_the_overlap_measures() -> None:
    truth, logits = case()
    for c, own in enumerate(summary()[:3]):
        expected = overlap(logits.argmax(0) == c, truth == c, (1, 1, 1), 1.0)
        for name in ("dice", "sensitivity", "precision", "volume_ratio"):
            assert getattr(own, name) == pytest.approx(getattr(expected, name)), name
    absent = summary()[3]
    assert absent.voxels == 0
    assert absent.predicted > 0
    assert np.isnan([absent.dice, absent.sensitivity, absent.precision]).all()
    assert absent.margins is None


def test_margins_calibration_and_lesions(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, logits = case()
    monkeypatch.setattr(class_summary, "PIECE", 100)
    p = softmax(logits, axis=0)
    for c, own in enumerate(summary()[:3]):
        d = (logits[c] - np.delete(logits, c, 0).max(0))[truth == c]
        assert own.margins.counts.moments.mean == pytest.approx(d.mean())
        assert own.margins.median == pytest.approx(np.median(d))
        assert own.margins.counts.moments.negative == (d < 0).sum()
        assert own.margins.counts.counts.sum() == own.voxels
        place = np.minimum((p[c] * 15).astype(int), 14)
        for b in range(15):
            inside = place == b
            expected = [inside.sum(), p[c][inside].sum(), (truth[inside] == c).sum()]
            np.testing.assert_allclose(own.calibration[:, b], expected)
    full = np.full(SHAPE, np.nan, np.float32)
    d = (logits[2] - np.delete(logits, 2, 0).max(0)).astype(np.float32)
    full[truth == 2] = d[truth == 2]
    said = (logits.argmax(0) == 2).astype(int)
    rows, _ = lesion_rows(said, (truth == 2).astype(int), 2, (1, 1, 2), full)
    assert [row["volume"] for row in summary()[2].lesions] == [row["volume"] for row in rows]
    np.testing.assert_allclose(
        [row["margin"] for row in summary()[2].lesions], [row["margin"] for row in rows], rtol=1e-4
    )


def test_voxels_that_do_not_count_are_as_if_they_were_cut_off() -> None:
    truth, logits = case()
    valid = np.zeros(SHAPE, bool)
    valid[:4] = True
    masks = [truth[:4] == c for c in range(4)]
    said = [logits.argmax(0)[:4] == c for c in range(4)]
    cut = summarise(masks, said, (1, 1, 2), None, softmax(logits, axis=0)[:, :4], "probabilities")
    for own, expected in zip(summary(valid), cut, strict=True):
        assert (own.voxels, own.predicted, own.hit) == (
            expected.voxels, expected.predicted, expected.hit
        )  # fmt: skip
        np.testing.assert_array_equal(own.offsets.predicted, expected.offsets.predicted)
        np.testing.assert_array_equal(own.calibration, expected.calibration)
        assert (own.margins and own.margins.median) == (
            expected.margins and expected.margins.median
        )
