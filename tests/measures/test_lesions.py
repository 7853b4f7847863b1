"""Lesions by hand, by a loop over voxels, and as an accumulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rarelens.measures.lesion_detection import LesionDetection, f1
from rarelens.measures.lesions import lesion_rows, lesions, margin_map

CLASSES = ["background", "infarct", "scar"]
SPACINGS = {"a": (1.0, 1.0, 2.0), "b": (0.5, 0.5, 3.0), "c": (1.0, 1.5, 1.0)}


def picture(*rows: str) -> np.ndarray:
    return np.array([[int(letter) for letter in row] for row in rows])


def components(mask: np.ndarray) -> list[set[tuple[int, ...]]]:
    """Voxels that touch by a face, edge or corner, by growing; in the order of first voxels."""
    left = [tuple(at) for at in np.argwhere(mask).tolist()]
    found = []
    while left:
        grown, border = {left[0]}, [left[0]]
        while border:
            at = border.pop()
            near = {
                other
                for other in left
                if other not in grown and max(abs(np.subtract(at, other))) == 1
            }
            grown |= near
            border += near
        left = [at for at in left if at not in grown]
        found.append(grown)
    return found


def drawn(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prediction, truth and logits of a sparse volume with many small components."""
    rng = np.random.default_rng(number)
    truth = rng.choice(3, (7, 8, 6), p=[0.9, 0.06, 0.04])
    logits = rng.normal(size=(3, *truth.shape)) + 2 * (np.arange(3)[:, None, None, None] == truth)
    logits[0] += 1
    return logits.argmax(0), truth, logits


def test_diagonal_neighbours_are_one_lesion_in_images_and_volumes() -> None:
    truth = picture("1000", "0100", "0001") == 1
    assert lesions(truth, truth).voxels.tolist() == [2, 1]
    corner = np.zeros((3, 3, 3), bool)
    corner[0, 0, 0] = corner[1, 1, 1] = corner[2, 2, 2] = True
    assert lesions(corner, corner).voxels.tolist() == [3]


def test_by_hand() -> None:
    """Lesions of 4, 2 and 2 pixels; a prediction of 5 that fuses two of them, two false alarms."""
    truth = picture("1100000000", "1100011000", "0000000000", "0000000011")
    said = picture("0000000010", "0111110000", "0000000000", "1000000000")
    rows, (counts,) = lesion_rows(said, truth, 2, (0.5, 2.0))
    assert counts == {
        "class": 1, "lesions": 3, "detected": 2, "predicted": 3, "false_alarms": 2,
    }  # fmt: skip
    assert [(row["lesion"], row["voxels"], row["volume"]) for row in rows] == [
        (1, 4, 4.0),
        (2, 2, 2.0),
        (3, 2, 2.0),
    ]
    assert [row["detected"] for row in rows] == [True, True, False]
    # One pixel of each is found, and the 5 belong to both: |L ∪ P| is 4 + 5 − 1 and 2 + 5 − 1.
    assert [row["iou"] for row in rows] == [1 / 8, 1 / 6, 0]
    assert [row["dice"] for row in rows] == [2 / 9, 2 / 7, 0]
    assert np.isnan([row["margin"] for row in rows]).all()


def test_a_lesion_in_pieces_is_measured_with_all_of_them() -> None:
    truth, said = picture("0111110") == 1, picture("1101011") == 1
    found = lesions(said, truth)
    assert (found.predicted, found.false_alarms) == (3, 0)
    assert (found.iou.tolist(), found.dice.tolist()) == ([3 / 7], [6 / 10])


@pytest.mark.parametrize("number", range(4))
def test_as_a_loop_over_voxels(number: int) -> None:
    predicted, truth, logits = drawn(number)
    rows, counts = lesion_rows(
        predicted, truth, 3, (1.0, 2.0, 0.5), margin_map(logits[:, truth > 0], truth)
    )
    assert len(rows) > 10
    expected = []
    for index in (1, 2):
        parts, own = components(predicted == index), components(truth == index)
        for place, lesion in enumerate(own, start=1):
            said = set().union(*(part for part in parts if part & lesion))
            margins = []
            for at in lesion:
                others = [logits[(k, *at)] for k in range(3) if k != index]
                margins.append(logits[(index, *at)] - max(others))
            expected.append(
                {
                    "class": index,
                    "lesion": place,
                    "voxels": len(lesion),
                    "volume": float(len(lesion)),
                    "detected": bool(lesion & said),
                    "iou": len(lesion & said) / len(lesion | said),
                    "dice": 2 * len(lesion & said) / (len(lesion) + len(said)),
                    "margin": pytest.approx(np.mean(margins)),
                }
            )
        assert counts[index - 1] == {
            "class": index,
            "lesions": len(own),
            "detected": sum(any(part & lesion for part in parts) for lesion in own),
            "predicted": len(parts),
            "false_alarms": sum(not any(part & lesion for lesion in own) for part in parts),
        }
    assert rows == expected


def test_the_margin_of_a_lesion_is_over_the_voxels_that_have_one() -> None:
    truth = picture("110010")
    margins = np.array([[1.0, np.nan, 9.0, np.nan, np.nan, 5.0]])
    found = lesions(truth == 0, truth == 1, margins)
    np.testing.assert_array_equal(found.margin, [1.0, np.nan])


def test_classes_without_lesions_have_a_row_of_numbers() -> None:
    nothing = np.zeros((3, 4, 5), int)
    rows, counts = lesion_rows(nothing, nothing, 3, (1, 1, 1))
    assert rows == []
    empty = {"lesions": 0, "detected": 0, "predicted": 0, "false_alarms": 0}
    assert counts == [{"class": 1, **empty}, {"class": 2, **empty}]
    some = nothing.copy()
    some[0, 0, 0] = 2
    assert lesion_rows(some, nothing, 3, (1, 1, 1))[1][1]["false_alarms"] == 1


def test_f1_is_the_harmonic_mean_where_components_are_one_to_one() -> None:
    """Of 4 lesions 3 found, and 2 false alarms: recall 3/4, precision 3/5."""
    assert float(f1(4, 3, 2)) == pytest.approx(2 / (4 / 3 + 5 / 3))
    np.testing.assert_array_equal(f1([0, 0, 1], [0, 0, 0], [0, 2, 0]), [np.nan, np.nan, 0])


def measured(names: str, iou: float = 0.1, kind: Any = np.asarray) -> LesionDetection:
    found = LesionDetection(CLASSES, iou=iou)
    for name in names:
        predicted, truth, logits = map(kind, drawn(ord(name)))
        found.update(predicted, truth, name, SPACINGS[name], logits)
    return found


def test_rows_and_numbers_of_subjects_agree() -> None:
    detection = measured("abc", iou=0.4)
    rows, subjects = detection.compute(), detection.compute_subjects()
    assert [(row["subject"], row["class"]) for row in subjects] == [
        (subject, name) for subject in "abc" for name in CLASSES[1:]
    ]
    for one in subjects:
        own = [row for row in rows if all(row[key] == one[key] for key in ("subject", "class"))]
        assert len(own) == one["lesions"]
        assert sum(row["detected"] for row in own) == one["detected"]
        assert one["f1"] == float(f1(one["lesions"], one["detected"], one["false_alarms"]))
        voxel = np.prod(SPACINGS[one["subject"]])
        assert all(row["volume"] == row["voxels"] * voxel for row in own)
    by_iou = [row["detected_iou"] for row in rows]
    assert by_iou == [row["iou"] > 0.4 for row in rows]
    assert 0 < sum(by_iou) < sum(row["detected"] for row in rows) < len(rows)
    # At no IoU at all, any voxel is enough; an IoU that is just reached is not enough.
    assert all(row["detected_iou"] == row["detected"] for row in measured("abc", iou=0).compute())


def test_merging_is_feeding_all_up_to_the_order_of_rows() -> None:
    whole = measured("abc").compute()
    assert measured("a").merge(measured("bc")).compute() == whole
    merged = measured("c").merge(measured("a").merge(measured("b"))).compute()
    assert sorted(merged, key=str) == sorted(whole, key=str)
    with pytest.raises(ValueError, match="cannot merge: a, b measured in both"):
        measured("ab").merge(measured("ba"))
    with pytest.raises(ValueError, match="classes or iou differ"):
        measured("a").merge(measured("b", iou=0.2))


def test_torch_gives_the_same() -> None:
    plain, other = measured("ab").compute(), measured("ab", kind=torch.from_numpy).compute()
    assert plain == other


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({0: np.zeros((7, 8, 5), int)}, "a prediction of shape"),
        ({0: np.full((7, 8, 6), 3)}, "labels of 3 to 3"),
        ({3: None}, "need a spacing of 3 numbers above 0, in mm, not None"),
        ({2: "a"}, "subject a was measured before"),
        ({4: np.zeros((2, 7, 8, 6))}, "do not fit 3 classes"),
        ({4: np.full((3, 7, 8, 6), np.nan)}, "not finite"),
    ],
)
def test_nonsense_is_refused(change: dict[int, Any], sentence: str) -> None:
    predicted, truth, logits = drawn(0)
    good = (predicted, truth, "new", (1, 1, 1), logits)
    with pytest.raises(ValueError, match=sentence):
        measured("a").update(*[change.get(place, value) for place, value in enumerate(good)])


def test_an_iou_that_nothing_exceeds_is_refused() -> None:
    with pytest.raises(ValueError, match="iou: 1 is not from 0 to below 1"):
        LesionDetection(CLASSES, iou=1)
