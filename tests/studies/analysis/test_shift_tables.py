from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wasserstein_distance

from rarelens.measures import shift
from rarelens.measures.histograms import bin_of
from rarelens.studies.analysis.segmentation.analyse import shift_by_case
from rarelens.studies.analysis.shift_tables import margin_histograms, shift_table

WIDTH = 0.05
Values = Sequence[float] | np.ndarray


@pytest.fixture
def resampling() -> SimpleNamespace:
    return SimpleNamespace(bootstrap=300, confidence=0.95, seed=3)


def tables(
    train: Sequence[Values], test: Sequence[Values], index: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    sums, counts = [], []
    for side, subjects in (("train", train), ("test", test)):
        for number, values in enumerate(np.asarray(v, dtype=float) for v in subjects):
            key = {"case": f"{side}{number}", "side": side, "class": index}
            total = {"count": values.size, "sum": values.sum(), "sum_squares": (values**2).sum()}
            sums.append({**key, **total, "negative": int((values < 0).sum())})
            found = np.unique(bin_of(values, WIDTH), return_counts=True)
            counts += [{**key, "bin": b, "count": n} for b, n in zip(*found, strict=True)]
    return pd.DataFrame(sums), pd.DataFrame(counts)


def table_of(
    train: Sequence[Values], test: Sequence[Values], resampling: SimpleNamespace
) -> pd.DataFrame:
    table = shift_table(*tables(train, test), ["background"], WIDTH, resampling)
    return table.set_index("statistic")


def subjects(number: int, mean: float, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(50, 200, number)
    return [rng.normal(mean + rng.normal(0, 0.3), 1.0, size) for size in sizes]


def test_two_tiny_subjects_by_hand(resampling: SimpleNamespace) -> None:
    found = table_of([[1.0, 2.0, 3.0]], [[-1.0, 0.0, 1.0, 4.0]], resampling)
    assert found.loc["mean", ["train", "test", "difference"]].tolist() == [2.0, 1.0, -1.0]
    assert found.loc["negative_fraction", ["train", "test"]].tolist() == [0.0, 0.25]
    # Squared deviations 2 and 14, five degrees of freedom.
    expected = -1.0 / np.sqrt(16 / 5)
    assert found.loc["standardised_difference", "difference"] == pytest.approx(expected)
    exact = wasserstein_distance([1.0, 2.0, 3.0], [-1.0, 0.0, 1.0, 4.0])
    assert found.loc["wasserstein", "difference"] == pytest.approx(exact, abs=WIDTH)
    assert found.loc["median", ["train", "test"]].tolist() == pytest.approx([2, 0], abs=WIDTH)
    assert np.isnan(found.loc["wasserstein", "train"])


def test_everything_agrees_with_the_raw_pooled_values(resampling: SimpleNamespace) -> None:
    train, test = subjects(4, 2.0, 0), subjects(7, 1.0, 1)
    before, after = np.concatenate(train), np.concatenate(test)
    found = table_of(train, test, resampling)
    assert found.loc["mean", "difference"] == pytest.approx(after.mean() - before.mean())
    for statistic, q in shift.QUANTILES.items():
        exact = [np.quantile(values, q, method="inverted_cdf") for values in (before, after)]
        assert found.loc[statistic, ["train", "test"]].tolist() == pytest.approx(exact, abs=WIDTH)
    exact_distance = wasserstein_distance(before, after)
    assert found.loc["wasserstein", "difference"] == pytest.approx(exact_distance, abs=WIDTH)


def test_identical_sides_have_intervals_around_zero(resampling: SimpleNamespace) -> None:
    same = subjects(12, 1.0, 5)
    found = table_of(same, same, resampling)
    for statistic in ("mean", "median", "negative_fraction", "standardised_difference"):
        assert found.loc[statistic, "difference"] == 0
        assert found.loc[statistic, "ci_low"] < 0 < found.loc[statistic, "ci_high"]


def test_a_strong_shift_has_an_interval_beyond_zero(resampling: SimpleNamespace) -> None:
    found = table_of(subjects(5, 3.0, 1), subjects(20, -1.0, 2), resampling)
    for statistic in ("mean", "median", "standardised_difference"):
        low, gap, high = found.loc[statistic, ["ci_low", "difference", "ci_high"]]
        assert low < gap < high < 0
    assert found.loc["negative_fraction", "ci_low"] > 0
    assert found.loc["wasserstein", "ci_low"] > 0
    assert found.loc[list(shift.QUANTILES), ["ci_low", "ci_high"]].isna().all(axis=None)


def test_interval_resamples_subjects_and_not_voxels(resampling: SimpleNamespace) -> None:
    # Voxels of a subject are all alike: only what differs between subjects can spread.
    train, test = [np.full(1000, 2.0)], [np.full(1000, 0.0), np.full(1000, 1.0)]
    found = table_of(train, test, resampling)
    assert found.loc["mean", ["ci_low", "difference", "ci_high"]].tolist() == [-2.0, -1.5, -1.0]


def test_interval_equals_a_plain_loop_over_replicates(resampling: SimpleNamespace) -> None:
    train, test = subjects(3, 2.0, 0), subjects(6, 1.0, 1)
    found = table_of(train, test, resampling).loc["mean"]
    rng = np.random.default_rng(99)

    def draw(side: list[np.ndarray]) -> float:
        return float(
            np.concatenate([side[i] for i in rng.integers(0, len(side), len(side))]).mean()
        )

    replicates = [draw(test) - draw(train) for _ in range(4000)]
    low, high = np.quantile(replicates, [0.025, 0.975])
    spread = np.std(replicates)
    assert abs(found["ci_low"] - low) < 0.5 * spread
    assert abs(found["ci_high"] - high) < 0.5 * spread


def test_intervals_do_not_depend_on_how_replicates_are_chunked(
    resampling: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = subjects(5, 2.0, 0), subjects(5, 1.0, 1)
    whole = table_of(*sides, resampling)
    monkeypatch.setattr(shift, "CHUNK", 2000)
    pd.testing.assert_frame_equal(table_of(*sides, resampling), whole)


def test_a_class_missing_on_a_side_keeps_nan_rows(resampling: SimpleNamespace) -> None:
    sums, counts = tables([], [[1.0, 2.0]], index=1)
    found = shift_table(sums, counts, ["background", "lesion", "vessel"], WIDTH, resampling)
    assert found.groupby("class")["statistic"].count().tolist() == [10, 10, 10]
    lesion = found[found["class"] == 1].set_index("statistic")
    assert lesion.loc["mean", "test"] == 1.5
    assert lesion[["train", "difference", "ci_low", "ci_high"]].isna().all(axis=None)
    vessel = found[found["class"] == 2]
    assert vessel[["train", "test", "difference"]].isna().all(axis=None)


def test_the_same_seed_gives_the_same_interval(resampling: SimpleNamespace) -> None:
    sides = subjects(5, 2.0, 0), subjects(5, 1.0, 1)
    first, second = (table_of(*sides, resampling) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    other = table_of(*sides, SimpleNamespace(**vars(resampling) | {"seed": 4}))
    assert other.loc["mean", "ci_low"] != first.loc["mean", "ci_low"]


def test_tables_that_count_different_voxels_are_refused(resampling: SimpleNamespace) -> None:
    sums, counts = tables([[1.0]], [[2.0, 3.0]])
    with pytest.raises(ValueError, match=r"class 0, side test: .*rerun extract"):
        shift_table(sums, counts.iloc[:-1], ["background"], WIDTH, resampling)


def test_by_case_and_pooled_histograms(resampling: SimpleNamespace) -> None:
    sums, counts = tables([[1.0, -1.0], [1.0]], [[2.0]])
    by_case = shift_by_case(sums)
    assert by_case["mean"].tolist() == [0.0, 1.0, 2.0]
    assert by_case["negative_fraction"].tolist() == [0.5, 0.0, 0.0]
    pooled = margin_histograms(counts)
    train = pooled[pooled["side"] == "train"]
    assert train[["bin", "count"]].to_numpy().tolist() == [[-20, 1], [20, 2]]
