"""Logit shift against plain loops over raw margins, its identities and its refusals."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from rarelens.measures.logit_shift import LogitShift

CLASSES = ["background", "organ", "lesion"]


class Subject(NamedTuple):
    logits: np.ndarray
    labels: np.ndarray
    name: str
    side: str

    def margins(self, label: int) -> list[float]:
        voxels = zip(self.logits.reshape(3, -1).T, self.labels.ravel(), strict=True)
        return [
            float(z[label]) - max(float(z[k]) for k in range(3) if k != label)
            for z, truth in voxels
            if truth == label
        ]


def subject(number: int, side: str, lesion: bool = True) -> Subject:
    rng = np.random.default_rng(number)
    shape = (4, 5, int(rng.integers(3, 9)))
    labels = rng.choice(3 if lesion else 2, shape)
    logits = rng.normal(0, 2, (3, *shape)).astype(np.float32)
    for label in range(3):
        logits[label][labels == label] += 3 - (side == "test" and label == 2) * 4
    return Subject(logits, labels, f"{side}{number}", side)


SUBJECTS = [
    *(subject(number, "train") for number in range(5)),
    *(subject(number, "test") for number in range(5, 11)),
    subject(11, "test", lesion=False),
]


def fed(subjects: Iterable[Subject], **settings: Any) -> LogitShift:
    shift = LogitShift(CLASSES, **settings)
    for one in subjects:
        shift.update(*one)
    return shift


def same(first: list[Any], second: list[Any]) -> None:
    assert [row.keys() for row in first] == [row.keys() for row in second]
    for one, other in zip(first, second, strict=True):
        for key, value in one.items():
            expected = value if isinstance(value, str) else pytest.approx(value, nan_ok=True)
            assert other[key] == expected, key


def test_subject_means_against_a_loop_over_raw_margins() -> None:
    rows = fed(SUBJECTS, rare_classes=[2]).compute()
    assert [row["class"] for row in rows] == CLASSES
    assert [row["rare"] for row in rows] == [False, False, True]
    for label, row in enumerate(rows):
        by_side: dict[str, list[list[float]]] = {"train": [], "test": []}
        for one in SUBJECTS:
            if margins := one.margins(label):
                by_side[one.side].append(margins)
        for side, own in by_side.items():
            means = [sum(margins) / len(margins) for margins in own]
            wrong = [sum(d < 0 for d in margins) / len(margins) for margins in own]
            assert row[f"{side}_mean"] == pytest.approx(np.mean(means), rel=1e-6)
            assert row[f"{side}_misclassified"] == pytest.approx(np.mean(wrong))
            assert row[f"subjects_{side}"] == len(own)
        assert row["difference"] == row["test_mean"] - row["train_mean"]
        assert row["low"] < row["difference"] < row["high"]
    assert rows[2]["subjects_test"] == 6
    assert rows[2]["high"] < 0 < rows[1]["high"]


def test_pooled_statistics_against_all_raw_margins() -> None:
    rows = fed(SUBJECTS, bin_width=0.05).compute_pooled(replicates=100)
    for label, name in enumerate(CLASSES):
        own = {row["statistic"]: row for row in rows if row["class"] == name}
        train, test = (
            np.concatenate([one.margins(label) for one in SUBJECTS if one.side == side])
            for side in ("train", "test")
        )
        assert own["mean"]["difference"] == pytest.approx(test.mean() - train.mean(), rel=1e-5)
        assert own["negative_fraction"]["test"] == pytest.approx((test < 0).mean())
        assert own["median"]["train"] == pytest.approx(np.median(train), abs=0.1)
        distance = wasserstein_distance(train, test)
        assert own["wasserstein"]["difference"] == pytest.approx(distance, abs=0.05)


def test_the_two_shifts_differ_where_sizes_do() -> None:
    """A large structure at margin 0 and a small one at 4, after training subjects at 4."""
    shift = LogitShift(2)
    for name, size, margin in [("a", 10, 4.0), ("b", 10, 4.0), ("c", 90, 0.0), ("d", 10, 4.0)]:
        logits = np.stack([np.zeros(size), np.full(size, margin)])
        shift.update(logits, np.ones(size, int), name, "train" if name in "ab" else "test")
    assert shift.compute()[1]["difference"] == -2.0
    pooled = {(row["class"], row["statistic"]): row for row in shift.compute_pooled()}
    assert pooled[1, "mean"]["difference"] == pytest.approx(-3.6)


@pytest.mark.parametrize("pieces", [2, 3])
def test_a_subject_fed_in_parts_adds_up(pieces: int) -> None:
    whole, parts = fed(SUBJECTS), LogitShift(CLASSES)
    for one in SUBJECTS:
        flat, labels = one.logits.reshape(3, -1), one.labels.ravel()
        for piece in np.array_split(np.arange(labels.size), pieces):
            parts.update(flat[:, piece], labels[piece], one.name, one.side)
    same(parts.compute(), whole.compute())
    same(parts.compute_pooled(replicates=50), whole.compute_pooled(replicates=50))


def test_merging_in_any_order_and_grouping_is_feeding_all() -> None:
    whole = fed(SUBJECTS).compute()
    groups = [SUBJECTS[:4], SUBJECTS[4:9], SUBJECTS[9:]]
    for one, two, three in permutations(groups):
        same(fed(one).merge(fed(two)).merge(fed(three)).compute(), whole)
        same(fed(one).merge(fed(two).merge(fed(three))).compute(), whole)
    same(pickle.loads(pickle.dumps(fed(SUBJECTS))).compute(), whole)


def test_the_order_of_updates_does_not_matter() -> None:
    assert fed(SUBJECTS[::-1]).compute() == fed(SUBJECTS).compute()


@pytest.mark.parametrize(
    "convert",
    [
        torch.from_numpy,
        lambda values: torch.from_numpy(values).requires_grad_(values.dtype == np.float32),
        lambda values: values.astype(np.float64),
    ],
)
def test_torch_is_numpy(convert: Callable[[np.ndarray], Any]) -> None:
    shift = LogitShift(CLASSES)
    for logits, labels, *rest in SUBJECTS:
        shift.update(convert(logits), convert(labels), *rest)
    same(shift.compute(), fed(SUBJECTS).compute())


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float8_e5m2])
def test_half_precision_is_read_as_it_is(kind: torch.dtype) -> None:
    found, expected = LogitShift(CLASSES), LogitShift(CLASSES)
    for logits, labels, *rest in SUBJECTS:
        half = torch.from_numpy(logits).to(kind)
        found.update(half, torch.from_numpy(labels), *rest)
        expected.update(half.float().numpy(), labels, *rest)
    assert found.compute() == expected.compute()


def test_the_same_seed_gives_the_same_interval_and_more_confidence_a_wider_one() -> None:
    shift = fed(SUBJECTS)
    assert shift.compute() == shift.compute(seed=0)
    narrow, wide = (shift.compute(confidence=share)[2] for share in (0.5, 0.99))
    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]
    assert shift.compute(seed=1)[2]["low"] != shift.compute()[2]["low"]


def test_interval_is_that_of_a_plain_bootstrap_over_the_subjects_of_both_sides() -> None:
    row = fed(SUBJECTS).compute(replicates=4000)[2]
    rng = np.random.default_rng(7)
    means: dict[str, list[float]] = {"train": [], "test": []}
    for one in SUBJECTS:
        if margins := one.margins(2):
            means[one.side].append(float(np.mean(margins)))
    train, test = means.values()
    drawn = [rng.choice(test, len(test)).mean() - rng.choice(train, len(train)).mean()
             for _ in range(4000)]  # fmt: skip
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert row["low"] == pytest.approx(low, abs=0.25 * np.std(drawn))
    assert row["high"] == pytest.approx(high, abs=0.25 * np.std(drawn))


def test_intervals_cover_the_true_shift_of_simulated_subjects() -> None:
    """Subjects of both sides differ from one another; true shift −1."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(150):
        shift = LogitShift(2)
        for number in range(40):
            test = number % 2
            margins = rng.normal(3 - test + rng.normal(0, 0.5), 1, 20)
            logits = np.stack([np.zeros(20), margins])
            shift.update(logits, np.ones(20, int), number, ("train", "test")[test])
        row = shift.compute(replicates=400)[1]
        covered.append(row["low"] <= -1 <= row["high"])
    assert 0.88 <= np.mean(covered) <= 0.99


def test_memory_does_not_grow_with_voxels() -> None:
    sizes = []
    for voxels in (20_000, 2_000_000):
        rng = np.random.default_rng(0)
        shift = LogitShift(2)
        logits = np.clip(rng.normal(0, 1, (2, voxels)), -2, 2).astype(np.float32)
        shift.update(logits, rng.integers(0, 2, voxels), "a", "train")
        sizes.append(len(pickle.dumps(shift)))
    assert sizes[1] < 1.2 * sizes[0] < 10_000


def test_a_class_without_subjects_has_a_row_and_one_subject_no_interval() -> None:
    shift = LogitShift(CLASSES)
    shift.update(np.array([[3.0], [0.0], [1.0]]), np.array([0]), "a", "train")
    shift.update(np.array([[3.0], [2.5], [1.0]]), np.array([0]), "b", "test")
    background, organ, _ = shift.compute()
    assert (background["train_mean"], background["difference"]) == (2.0, -1.5)
    assert np.isnan([background["low"], background["high"]]).all()
    assert (organ["subjects_train"], organ["subjects_test"]) == (0, 0)
    assert np.isnan([organ["train_mean"], organ["difference"], organ["low"]]).all()
    assert np.isnan([row["difference"] for row in LogitShift(2).compute_pooled()]).all()


GOOD = np.zeros((3, 4)), np.zeros(4, int), "a", "train"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({0: np.zeros((2, 4))}, r"shape \(2, 4\) do not have 3 classes"),
        ({0: np.zeros(3)}, r"\(C, \*spatial\) is expected"),
        ({1: np.zeros(5, int)}, r"labels of shape \(5,\) do not fit"),
        ({1: np.full(4, 3)}, "labels of 3 to 3 were found; 3 classes have labels of 0 to 2"),
        ({1: np.full(4, -1)}, "labels of -1 to -1"),
        ({1: np.full(4, 0.5)}, "whole numbers"),
        ({1: np.full(4, np.nan)}, "whole numbers"),
        ({0: np.full((3, 4), np.nan)}, r"subject a: a logit is not finite"),
        ({0: np.full((3, 4), np.inf)}, r"subject a: a logit is not finite"),
        ({3: "validation"}, 'side is "train" or "test", not \'validation\''),
        ({3: "test"}, "subject a is on both sides"),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(change: dict[int, Any], sentence: str) -> None:
    shift = fed(SUBJECTS)
    shift.update(*GOOD)
    before = shift.compute(replicates=10)
    with pytest.raises(ValueError, match=sentence):
        shift.update(*[change.get(place, value) for place, value in enumerate(GOOD)])
    assert shift.compute(replicates=10) == before


@pytest.mark.parametrize("arguments", [(1,), (["a"],), (["a", "a"],), ("ab",), (2, [2]), (2, [-1])])
def test_impossible_classes_are_refused(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="classes"):
        LogitShift(*arguments)


def test_merging_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cannot merge: bin_width 0\.5 is not 0\.0625"):
        LogitShift(2).merge(LogitShift(2, bin_width=0.5))
    with pytest.raises(ValueError, match="cannot merge: classes"):
        LogitShift(2).merge(LogitShift(3))
    moved = SUBJECTS[0]._replace(side="test")
    with pytest.raises(ValueError, match="subject train0 is on both sides"):
        fed(SUBJECTS).merge(fed([moved]))
    with pytest.raises(ValueError, match="confidence lies between 0 and 1, 95 does not"):
        fed(SUBJECTS).compute(confidence=95)


def test_plot_shows_the_rare_classes_with_their_shift() -> None:
    from matplotlib import pyplot

    shift = fed(SUBJECTS, rare_classes=[2])
    figure = shift.plot()
    (axis,) = figure.axes
    row = shift.compute()[2]
    assert axis.get_title().startswith(f"lesion: shift {row['difference']:.2f} [")
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ["train (5 subjects)", "test (6 subjects)"]
    assert len(fed(SUBJECTS).plot().axes) == 3
    assert LogitShift(2).plot().axes[0].get_legend() is None
    pyplot.close("all")


def test_it_needs_numpy_alone() -> None:
    code = (
        "import sys, rarelens.measures.logit_shift\n"
        "print([name for name in ('torch', 'pandas', 'scipy', 'matplotlib', 'monai') "
        "if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
