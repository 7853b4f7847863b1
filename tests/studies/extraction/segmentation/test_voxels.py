from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from rarelens.measures.margins import voxel_margins
from rarelens.studies.extraction.segmentation import voxels

WIDTH = 0.25


@pytest.fixture
def logits() -> np.ndarray:
    """Three classes, 400 voxels; some values lie just on the edge of a bin."""
    values = np.random.default_rng(3).normal(0, 2, (3, 400)).astype(np.float32)
    values[:, :40] = np.round(values[:, :40] * 4) / 4
    return values


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(4).choice(3, 400, p=[0.9, 0.07, 0.03]).astype(np.uint8)


def margin_by_loop(logits: np.ndarray, voxel: int, label: int) -> float:
    others = [float(logits[k, voxel]) for k in range(len(logits)) if k != label]
    return float(logits[label, voxel]) - max(others)


def test_moments_by_hand() -> None:
    logits = np.array([[3, 0, 1, 5], [1, 2, 1, 0], [0, 4, -1, 9]], np.float32)
    found = voxels.moments(logits, np.array([0, 1, 1, 0]))
    # Margins: class 0: 3-1=2, 5-9=-4; class 1: 2-4=-2, 1-1=0 (a tie is not negative).
    expected = {
        "class": [0, 1],
        "quantity": ["margin"] * 2,
        "count": [2, 2],
        "sum": [-2.0, -2.0],
        "sum_squares": [20.0, 4.0],
        "negative": [1, 1],
    }
    pd.testing.assert_frame_equal(found, pd.DataFrame(expected))


def test_moments_against_a_loop(logits: np.ndarray, labels: np.ndarray) -> None:
    found = voxels.moments(logits, labels).set_index("class")
    for label in range(3):
        margins = [margin_by_loop(logits, v, label) for v in range(400) if labels[v] == label]
        row = found.loc[label]
        assert row["count"] == len(margins)
        assert row["sum"] == pytest.approx(sum(margins), rel=1e-5)
        assert row["sum_squares"] == pytest.approx(sum(m * m for m in margins), rel=1e-5)
        assert row["negative"] == sum(m < 0 for m in margins)


def test_only_classes_that_occur_have_rows(logits: np.ndarray) -> None:
    truth = np.full(400, 2, np.uint8)
    assert voxels.moments(logits, truth)["class"].tolist() == [2]
    assert set(voxels.histograms(logits, truth, WIDTH)["class"]) == {2}


def test_histograms_against_numpy(logits: np.ndarray, labels: np.ndarray) -> None:
    found = voxels.histograms(logits, labels, WIDTH)
    assert set(found["quantity"]) == {"margin", "logit_0", "logit_1", "logit_2"}
    edges = np.arange(-80, 81) * WIDTH
    for (label, quantity), rows in found.groupby(["class", "quantity"]):
        own = logits[:, labels == label]
        values = voxel_margins(own, label) if quantity == "margin" else own[int(quantity[-1])]
        counts, _ = np.histogram(values, edges)
        occupied = np.flatnonzero(counts)
        assert rows["bin"].tolist() == (occupied - 80).tolist()
        assert rows["count"].tolist() == counts[occupied].tolist()


def test_bins_are_closed_below_and_open_above() -> None:
    logits = np.array([[0.25, 0.2499, -0.25, -0.2501], [9, 9, 9, 9]], np.float32)
    found = voxels.histograms(logits, np.zeros(4, np.uint8), WIDTH)
    first = found[found["quantity"] == "logit_0"]
    assert dict(zip(first["bin"], first["count"], strict=True)) == {-2: 1, -1: 1, 0: 1, 1: 1}


def test_diverged_logits_need_no_dense_grid() -> None:
    logits = np.array([[-1e7, 1e7, 0.0], [1e7, -1e7, 0.0]], np.float32)
    found = voxels.joint_histograms(logits, np.zeros(3, np.uint8), 0.5)
    assert found["bin_x"].tolist() == [-20_000_000, 0, 20_000_000]
    assert found["count"].tolist() == [1, 1, 1]


def test_joint_histograms_against_numpy(logits: np.ndarray, labels: np.ndarray) -> None:
    found = voxels.joint_histograms(logits, labels, WIDTH)
    assert list(found) == ["class", "foreground", "bin_x", "bin_y", "count"]
    edges = np.arange(-80, 81) * WIDTH
    pairs = found.groupby(["foreground", "class"])
    assert set(pairs.groups) == {(1, 0), (1, 1), (2, 0), (2, 2)}
    for (k, label), rows in pairs:
        own = logits[:, labels == label]
        counts, _, _ = np.histogram2d(own[0], own[k], [edges, edges])
        x, y = np.nonzero(counts)
        assert rows["bin_x"].tolist() == (x - 80).tolist()
        assert rows["bin_y"].tolist() == (y - 80).tolist()
        assert rows["count"].tolist() == counts[x, y].tolist()


def test_calibration_against_a_loop(logits: np.ndarray, labels: np.ndarray) -> None:
    bins = 5
    found = voxels.calibration(logits, labels, bins)
    expected = {(k, b): [0, 0.0, 0] for k in range(3) for b in range(bins)}
    for voxel in range(400):
        powers = np.exp(logits[:, voxel].astype(np.float64))
        for k in range(3):
            p = powers[k] / powers.sum()
            entry = expected[k, min(int(p * bins), bins - 1)]
            entry[0] += 1
            entry[1] += p
            entry[2] += labels[voxel] == k
    assert list(zip(found["class"], found["bin"], strict=True)) == list(expected)
    columns = ["count", "sum_confidence", "sum_positive"]
    np.testing.assert_allclose(
        found[columns].to_numpy(float), np.array(list(expected.values()), float)
    )


def test_certainty_lies_in_the_last_bin() -> None:
    logits = np.array([[200.0], [-200.0]], np.float32)
    found = voxels.calibration(logits, np.array([0]), 4).set_index(["class", "bin"])["count"]
    assert found[0, 3] == found[1, 0] == 1
    assert found.sum() == 2


def test_sample_is_bounded_seeded_and_without_replacement(logits: np.ndarray) -> None:
    shape = (5, 8, 10)
    labels = np.zeros(400, np.uint8)
    labels[[7, 100, 399]] = 2
    found = voxels.sample(logits, labels, shape, 30, 0, "case")
    assert found["class"].value_counts().to_dict() == {0: 30, 2: 3}
    flat = np.ravel_multi_index(found[["x", "y", "z"]].to_numpy().T, shape)
    assert len(set(flat)) == 33
    assert set(flat[30:]) == {7, 100, 399}
    np.testing.assert_array_equal(labels[flat], found["class"])
    np.testing.assert_array_equal(logits[:, flat].T, found[["z_0", "z_1", "z_2"]])
    assert {str(found[f"z_{k}"].dtype) for k in range(3)} == {"float32"}
    again = voxels.sample(logits, labels, shape, 30, 0, "case")
    pd.testing.assert_frame_equal(found, again)
    for seed, case in ((1, "case"), (0, "other")):
        assert not found.equals(voxels.sample(logits, labels, shape, 30, seed, case))


def test_statistics_agree_with_one_another(logits: np.ndarray, labels: np.ndarray) -> None:
    moments = voxels.moments(logits, labels).set_index("class")
    histograms = voxels.histograms(logits, labels, WIDTH)
    for _, rows in histograms.groupby("quantity"):
        assert rows.groupby("class")["count"].sum().to_dict() == moments["count"].to_dict()
    below = histograms[(histograms["quantity"] == "margin") & (histograms["bin"] < 0)]
    assert below.groupby("class")["count"].sum().to_dict() == moments["negative"].to_dict()


def test_parts_leave_the_same_tables(
    logits: np.ndarray, labels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded by looking at some voxels, or some logits, at a time."""

    def tables() -> list[pd.DataFrame]:
        return [
            voxels.moments(logits, labels),
            voxels.histograms(logits, labels, WIDTH),
            voxels.calibration(logits, labels, 5),
        ]

    whole = tables()
    monkeypatch.setattr(voxels, "CHUNK", 60)
    for one, other in zip(whole, tables(), strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_of_many_classes_fewer_voxels_are_sampled(
    logits: np.ndarray, labels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voxels, "SAMPLED", 5 * 3**2)
    found = voxels.sample(logits, labels, (5, 8, 10), 30, 0, "case")
    assert found["class"].value_counts().to_dict() == {0: 5, 1: 5, 2: 5}


def test_many_classes_are_counted_at_once() -> None:
    """A frame for each class and logit once made 300 classes take minutes a case."""
    classes, size = 150, 24**3
    rng = np.random.default_rng(0)
    truth = (np.arange(size) * classes // size).astype(np.uint8)
    logits = rng.normal(0, 2, (classes, size)).astype(np.float32)
    begun = time.process_time()
    found = voxels.histograms(logits, truth, WIDTH)
    voxels.joint_histograms(logits, truth, 0.5)
    assert time.process_time() - begun < 4  # 0.8 s; 8 s before
    one = found[(found["class"] == 7) & (found["quantity"] == "logit_93")]
    bins, counts = np.unique(np.floor(logits[93, truth == 7] / WIDTH), return_counts=True)
    assert one["bin"].tolist() == bins.tolist()
    assert one["count"].tolist() == counts.tolist()
