"""Overlap per subject: the pure function's values, merging, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rarelens.measures.overlap import MEASURES, RULES, largest_component, overlap
from rarelens.measures.subject_overlap import SubjectOverlap

CLASSES = ["background", "organ", "lesion"]
SPACINGS = {"a": (1.0, 1.0, 2.0), "b": (0.5, 0.5, 3.0), "c": (1.0, 1.5, 1.0)}


def maps(number: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(number)
    truth = np.zeros((9, 8, 7), np.uint8)
    truth[1:5, 1:5, 1:5], truth[5:8, 5:7, 2:6] = 1, 2
    predicted = np.where(rng.random(truth.shape) < 0.1, rng.integers(0, 3, truth.shape), truth)
    return predicted.astype(np.uint8), truth


def measured(names: str, **settings: Any) -> SubjectOverlap:
    found = SubjectOverlap(CLASSES, **settings)
    for name in names:
        found.update(*maps(ord(name)), name, SPACINGS[name])
    return found


def test_rows_are_those_of_the_masks() -> None:
    rows = measured("abc", tolerance=2.0).compute()
    keys = [(row["subject"], row["class"], row["rule"]) for row in rows]
    assert keys == [(s, c, r) for s in "abc" for c in CLASSES[1:] for r in RULES]
    for row in rows:
        predicted, truth = (
            labels == CLASSES.index(row["class"]) for labels in maps(ord(row["subject"]))
        )
        if row["rule"] == "largest_component":
            predicted = largest_component(predicted)
        expected = overlap(predicted, truth, SPACINGS[row["subject"]], 2.0)
        assert {name: row[name] for name in MEASURES} == {n: getattr(expected, n) for n in MEASURES}


def test_measures_are_all_the_numbers_of_an_overlap() -> None:
    row = measured("a").compute()[0]
    numbers = {name for name, value in row.items() if isinstance(value, float)}
    assert set(MEASURES) == numbers
    assert {"dice", "hd95", "assd", "surface_dice"} < set(MEASURES)


def test_merging_is_feeding_all_up_to_the_order_of_rows() -> None:
    whole = measured("abc").compute()
    assert measured("a").merge(measured("bc")).compute() == whole
    merged = measured("c").merge(measured("a").merge(measured("b"))).compute()
    assert sorted(merged, key=str) == sorted(whole, key=str)


def test_torch_images_of_two_axes_and_numbers_for_names() -> None:
    predicted, truth = (torch.from_numpy(labels[..., 3]) for labels in maps(0))
    found = SubjectOverlap(3, spacing=(1, 2))
    found.update(predicted, truth, 17)
    first = found.compute()[0]
    assert (first["subject"], first["class"]) == (17, 1)
    expected = overlap((predicted == 1).numpy(), (truth == 1).numpy(), (1.0, 2.0), 1.0)
    assert first["hd95"] == expected.hd95


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({0: np.zeros((9, 8, 6), int)}, "a prediction of shape"),
        ({0: np.full((9, 8, 7), 3)}, "labels of 3 to 3"),
        ({3: None}, "need a spacing of 3 numbers above 0, in mm, not None"),
        ({3: (1, 1)}, "need a spacing of 3 numbers"),
        ({3: (1, 1, 0)}, "need a spacing of 3 numbers above 0"),
        ({2: "a"}, "subject a was measured before"),
    ],
)
def test_nonsense_is_refused(change: dict[int, Any], sentence: str) -> None:
    good = (*maps(0), "new", (1, 1, 1))
    with pytest.raises(ValueError, match=sentence):
        measured("a").update(*[change.get(place, value) for place, value in enumerate(good)])


def test_merging_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot merge: a, b measured in both"):
        measured("ab").merge(measured("ba"))
    with pytest.raises(ValueError, match="classes or tolerance differ"):
        measured("a").merge(measured("b", tolerance=3.0))
