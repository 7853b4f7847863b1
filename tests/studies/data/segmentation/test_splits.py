from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from rarelens.errors import RarelensError
from rarelens.studies.data.layout import read_collection
from rarelens.studies.data.segmentation.splits import assign_splits, rare_classes, training_subset
from rarelens.studies.data.splits import share_of_pool

CLASSES = ("background", "wall", "scar")
GROUPED = [f"p{patient:02d}_{visit}" for patient in range(12) for visit in range(1 + patient % 3)]


def table(volumes, groups=None, total=1000) -> pd.DataFrame:
    """A pool of cases with so many rare voxels (class 2), and one test case."""
    cases = [f"c{n:03d}" for n in range(len(volumes))]
    rows = pd.DataFrame(
        {
            "case": [*cases, "test"],
            "group": [*(groups or cases), "test"],
            "split": ["pool"] * len(cases) + ["test"],
            "spacing": [[1.0, 1.0, 1.0]] * (len(cases) + 1),
            "voxels": [[total - v - 200, 200, v] for v in volumes] + [[0, 10**9, 10**9]],
        }
    )
    return rows.set_index("case")


def counts(found) -> dict[str, int]:
    return found["split"].value_counts().to_dict()


def test_counts_are_met_and_the_pool_is_the_rest(split, tmp_path):
    found = assign_splits([f"c{n}" for n in range(20)], split(test=5, validation=3), tmp_path)
    assert counts(found) == {"test": 5, "validation": 3, "pool": 12}
    assert found["case"].is_monotonic_increasing
    assert list(found.columns) == ["case", "group", "split"]


def test_limited_pool_leaves_cases_unused(split, tmp_path):
    found = assign_splits([f"c{n}" for n in range(20)], split(pool=4), tmp_path)
    assert counts(found) == {"test": 2, "validation": 1, "pool": 4, "unused": 13}


def test_split_depends_on_the_seed_but_not_on_the_order_of_cases(split, tmp_path):
    cases = [f"c{n}" for n in range(20)]
    one = assign_splits(cases, split(), tmp_path)
    pd.testing.assert_frame_equal(one, assign_splits(cases[::-1], split(), tmp_path))
    assert not one.equals(assign_splits(cases, split(seed=1), tmp_path))


@pytest.mark.parametrize("seed", range(20))
def test_group_is_never_parted(split, tmp_path, seed):
    settings = split(seed=seed, test=5, validation=4, pool=6, group=r"^(p\d+)_")
    found = assign_splits(GROUPED, settings, tmp_path)
    assert found.groupby("group")["split"].nunique().eq(1).all()
    assert found["group"].nunique() == 12
    assert all(
        counts(found)[side] >= n for side, n in (("test", 5), ("validation", 4), ("pool", 6))
    )


def test_case_without_group_is_named(split, tmp_path):
    with pytest.raises(RarelensError, match=r"\.split\.group: .* finds no group in the id 'stray'"):
        assign_splits(["p1_a", "stray"], split(group=r"^(p\d+)_"), tmp_path)


@pytest.mark.parametrize(("pool", "needed"), [(None, 5), (6, 10)])
def test_too_few_cases_say_how_many_are_there_and_needed(split, tmp_path, pool, needed):
    cases = ["a", "b", "c", "d"]
    with pytest.raises(RarelensError) as caught:
        assign_splits(cases, split(test=3, validation=1, pool=pool), tmp_path)
    assert "there are 4 cases, but 3 test + 1 validation +" in str(caught.value)
    assert f"= {needed} are needed" in str(caught.value)


def test_too_few_groups_are_refused(split, tmp_path):
    with pytest.raises(RarelensError, match="6 cases in 2 whole groups"):
        assign_splits([f"{p}_{n}" for p in "ab" for n in range(3)], split(group="(.)_"), tmp_path)


class TestFile:
    CASES = ("a1", "a2", "b1", "c1")

    def assign(self, split, folder, rows, header="case,split", **changes):
        (folder / "split.csv").write_text("\n".join([header, *rows]) + "\n")
        return assign_splits(self.CASES, split(file="split.csv", **changes), folder)

    def refused(self, *args, **changes) -> list[str]:
        with pytest.raises(RarelensError) as caught:
            self.assign(*args, **changes)
        return list(caught.value.problems)

    def test_decides_instead_of_counts_and_seed(self, split, tmp_path):
        rows = ["b1,test", "a1, pool", "c1,validation", "a2,unused"]
        found = self.assign(split, tmp_path, rows, test=100)
        assert found.set_index("case")["split"].to_dict() == {
            "a1": "pool", "a2": "unused", "b1": "test", "c1": "validation",
        }  # fmt: skip

    def test_all_mistakes_are_told_with_case_and_file(self, split, tmp_path):
        rows = ["a1,pool", "a1,pool", "b1,train", "x9,test"]
        told = self.refused(split, tmp_path, rows)
        file = tmp_path / "split.csv"
        assert [line.split(";")[0] for line in told] == [
            f"x9: {file}: not a case of the dataset",
            f"a2: {file}: not listed",
            f"c1: {file}: not listed",
            f"b1: {file}: split 'train'",
            f"a1: {file}: listed twice",
        ]

    def test_group_in_two_splits_is_named(self, split, tmp_path):
        rows = ["a1,test", "a2,pool", "b1,pool", "c1,test"]
        (told,) = self.refused(split, tmp_path, rows, group="^([a-z])")
        assert "group a is in pool and test" in told

    def test_split_without_pool_is_refused(self, split, tmp_path):
        (told,) = self.refused(split, tmp_path, [f"{case},test" for case in self.CASES])
        assert "no case in split pool" in told

    def test_other_columns_are_refused(self, split, tmp_path):
        (told,) = self.refused(split, tmp_path, ["a1,test"], header="id,split")
        assert "split.csv: columns ['id', 'split']" in told

    def test_missing_file_is_named(self, split, tmp_path):
        with pytest.raises(RarelensError, match=r"none\.csv: no such file"):
            assign_splits(self.CASES, split(file="none.csv"), tmp_path)

    def test_file_outside_the_dataset_is_refused(self, split, tmp_path):
        with pytest.raises(RarelensError, match="outside the dataset's folder"):
            assign_splits(self.CASES, split(file="../split.csv"), tmp_path)

    def test_ids_that_look_like_numbers_stay_text(self, split, tmp_path):
        (tmp_path / "split.csv").write_text("case,split\n001,test\n002,pool\n")
        found = assign_splits(["001", "002"], split(file="split.csv"), tmp_path)
        assert found["split"].tolist() == ["test", "pool"]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("grouped", [False, True])
def test_subsets_are_nested(seed, grouped):
    rng = np.random.default_rng(seed)
    groups = [f"g{n // 3}" for n in range(47)] if grouped else None
    data = table(rng.integers(1, 300, 47).tolist(), groups)
    fractions = ("0.05", "0.1", "0.2", "0.5", "0.8", "1")
    subsets = [set(training_subset(data, f, seed, (2,))) for f in fractions]
    assert all(small <= large for small, large in pairwise(subsets))
    assert subsets[-1] == set(data.index) - {"test"}
    if not grouped:
        assert [len(s) for s in subsets] == [2, 5, 9, 24, 38, 47]


@pytest.mark.parametrize("seed", range(10))
def test_every_subset_covers_the_range_of_rare_volumes(seed):
    volumes = np.random.default_rng(seed).permutation(64).tolist()
    data = table(volumes)
    for size in (2, 4, 8, 16, 32):
        subset = training_subset(data, size / 64, seed, (2,))
        ranks = [data.loc[case, "voxels"][2] for case in subset]
        # one of each of the `size` equal parts of the ranking
        assert sorted(rank * size // 64 for rank in ranks) == list(range(size))


def test_seeds_draw_different_subsets_and_every_case_is_drawn_by_some():
    data = table(list(range(1, 17)))
    drawn = [tuple(training_subset(data, "0.125", seed, (2,))) for seed in range(80)]
    assert len(set(drawn)) > 20
    assert len({case for subset in drawn for case in subset}) == 16


def test_rare_volume_counts_in_cubic_millimetres():
    data = table([10] * 8)
    data["spacing"] = [[1.0, 1.0, s] for s in (8, 7, 6, 5, 4, 3, 2, 1, 1)]
    for seed in range(10):
        first, second = training_subset(data, 0.25, seed, (2,))
        assert first <= "c003" < second  # one of the larger half and one of the smaller


def test_groups_stay_whole_in_subsets():
    data = table(list(range(1, 31)), [f"g{n // 3}" for n in range(30)])
    subset = training_subset(data, 0.2, 0, (2,))
    assert len(subset) == 6
    assert data.loc[subset].groupby("group").size().tolist() == [3, 3]


def test_a_fraction_is_the_decimal_that_is_written():
    """0.07 × 150 is 10.5, and rounds to the even 10; in floats it is a little more."""
    assert share_of_pool(0.07, 150) == share_of_pool("0.07", 150) == 10
    assert share_of_pool(0.005, 100) == 0


def test_fraction_that_leaves_no_case_is_refused():
    with pytest.raises(RarelensError, match=r"fraction 0\.1 of a pool of 4 cases leaves no"):
        training_subset(table([1, 2, 3, 4]), "0.1", 0, (2,))


def test_table_may_have_the_case_as_column_or_index():
    data = table(list(range(1, 9)))
    by_column = training_subset(data.reset_index(), 0.5, 0, (2,))
    assert by_column == training_subset(data, 0.5, 0, (2,))


def test_automatic_rare_classes_are_counted_over_the_pool_alone():
    data = table([30, 50])  # class 1: 20 %, class 2: 4 % of the pool
    assert rare_classes(data, CLASSES, "auto", 0.05) == (2,)
    assert rare_classes(data, CLASSES, "auto", 0.25) == (1, 2)


def test_no_rare_class_is_refused():
    with pytest.raises(RarelensError, match=r"below rare_threshold 0\.01 \(shares: 0\.2, 0\.04\)"):
        rare_classes(table([30, 50]), CLASSES, "auto", 0.01)


@pytest.mark.parametrize(
    ("given", "rare"),
    [((2, 0), (0, 2)), (("scar",), (2,)), (("wall", 2, "scar"), (1, 2)),
     (("auto",), "there is no class 'auto'"), ((3,), "there is no class 3"),
     ((-1,), "there is no class -1"), (("wall", "Scar"), "there is no class 'Scar'"),
     (("2",), "there is no class '2'"), ((), "no class is named"),
     (("scarr", 1, 9), "there is no class 'scarr' or 9")],
)  # fmt: skip
def test_given_rare_classes_are_values_or_names(given, rare):
    if isinstance(rare, tuple):
        assert rare_classes(table([1]), CLASSES, given, 0.05) == rare
    else:
        sentence = rf": {rare}; give .* has here: 0 background, 1 wall, 2 scar$"
        with pytest.raises(RarelensError, match=sentence):
            rare_classes(table([1]), CLASSES, given, 0.05)


def test_every_class_named_is_refused():
    with pytest.raises(RarelensError, match="every class is named"):
        rare_classes(table([1]), CLASSES, ("background", 1, "scar"), 0.05)


def test_real_hippocampus_is_split(real_data, split):
    folder = real_data / "Task04_Hippocampus"
    cases = [case.case for case in read_collection("msd", folder, "hippocampus").cases]
    found = assign_splits(cases, split(test=60, validation=20, pool=50), folder)
    assert counts(found) == {"test": 60, "validation": 20, "pool": 50}
