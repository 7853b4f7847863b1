"""Masks exchanged between patients, and the decision corrected over units and concepts."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from rarelens.measures.dissection import dissect
from rarelens.measures.dissection.mask_permutation import circles
from rarelens.measures.dissection.max_statistic import corrected_p
from rarelens.measures.dissection.pixels_above import pixels_above

NUMBERS = {"one image": [1] * 16, "twelve": [12] * 10, "unequal": [1, 2, 3, 5, 8, 13] * 2}


def clustered(rng, numbers, planted=0.0, units=6):
    """Images of a patient share most of their activations, and the place of their regions."""
    patient = np.repeat(np.arange(len(numbers)), numbers)
    common = rng.standard_normal((len(numbers), units, 4, 4))[patient]
    activations = common + 0.5 * rng.standard_normal((len(patient), units, 4, 4))
    masks = np.zeros((len(patient), 2, 8, 8), bool)
    for concept in range(2):
        corner = 2 * rng.integers(0, 3, (len(numbers), 2))[patient]
        for image in np.flatnonzero((rng.random(len(numbers)) < 0.6)[patient]):
            y, x = corner[image]
            masks[image, concept, y : y + 4, x : x + 4] = True
    activations[:, 0] += planted * masks[:, 0, ::2, ::2]
    return activations.astype(np.float32), masks, patient


@pytest.mark.parametrize("numbers", NUMBERS.values(), ids=NUMBERS)
def test_layers_that_know_nothing_rarely_have_any_unit_beyond_the_null(numbers):
    """At most 7 % of 100 at the level 5 %; exchanged image by image, many of the first 20."""
    wrong: dict[str, list[bool]] = {"patients": [], "images": []}
    for draw in range(100):
        activations, masks, patient = clustered(np.random.default_rng([5, draw]), numbers)
        groups_by_name = {"patients": patient} | ({"images": None} if draw < 20 else {})
        for name, groups in groups_by_name.items():
            settings = {"permutations": 19, "ceiling_share": 1e-9, "seed": draw}
            found = dissect(activations, masks, 0.05, groups=groups, **settings)
            wrong[name].append(found.detects_beyond_null.any())
    assert np.mean(wrong["patients"]) <= 0.07
    assert max(numbers) == 1 or np.mean(wrong["images"]) > 0.2


@pytest.mark.parametrize("numbers", NUMBERS.values(), ids=NUMBERS)
def test_a_planted_detector_is_found(numbers):
    found = []
    for draw in range(10):
        data = clustered(np.random.default_rng([6, draw]), numbers, planted=4, units=20)
        settings = {"groups": data[2], "permutations": 39, "seed": draw}
        found.append(dissect(*data[:2], 0.05, **settings).detects_beyond_null[0, 0])
    assert np.mean(found) >= 0.9


def small(numbers=(3, 1, 2, 3)):
    activations, masks, patient = clustered(np.random.default_rng(1), list(numbers))
    # No two images alike, and names that sort otherwise than they come.
    return activations, masks, np.array(["d", "a", "c", "b"])[patient]


def assignments(keys, groups, exchanges):
    """The image whose mask each image takes, for each assignment; and which one is true."""
    found, true = [], None
    for circle in circles(keys, groups, exchanges, seed=3):
        for step in range(circle.width):
            if circle.true and step == circle.before:
                true = len(found)
            given = {}
            for place, taker in enumerate(circle.takers):
                rank, patient = divmod(place, circle.patients)
                giver = (patient + step - circle.before) % circle.patients
                if taker >= 0:
                    given[int(taker)] = int(circle.givers[rank * circle.patients + giver])
            found.append([given[image] for image in range(len(keys))])
    return np.array(found), true


@pytest.mark.parametrize("exchanges", [2, 3, 4, 30])
def test_patients_give_their_masks_together(exchanges):
    keys = [bytes([7 * image % 256]) for image in range(9)]
    groups = [0, 0, 0, 1, 2, 2, 3, 3, 3]
    found, true = assignments(keys, groups, exchanges)
    assert len(found) == exchanges + 1
    assert found[true].tolist() == list(range(9))
    patient = np.array(groups)
    for given in found:
        givers = [np.unique(patient[given[patient == own]]) for own in range(4)]
        # One giver a patient, no giver twice.
        assert np.concatenate(givers).tolist() in [list(own) for own in permutations(range(4))]
        for own, giver in enumerate(np.concatenate(givers)):
            masks = given[patient == own]
            assert len(set(masks)) == min(len(masks), (patient == giver).sum())


def test_any_assignment_is_drawn():
    """Also such as leave some patient its own masks, as a random assignment may."""
    found, _ = assignments([bytes([image]) for image in range(4)], [0, 1, 2, 3], 400)
    assert len(np.unique(found, axis=0)) == 24


@pytest.mark.parametrize("exchanges", [3, 25])
def test_equals_plain_loop_over_assignments(exchanges, monkeypatch):
    activations, masks, patient = small()
    drawn = []

    def noted(keys, groups, number, seed):
        drawn.extend(keys)
        return circles(keys, groups, number, seed)

    monkeypatch.setattr("rarelens.measures.dissection.dissection.circles", noted)
    found = dissect(
        activations, masks, 0.1, groups=patient, permutations=exchanges, null_level=0.8, seed=3
    )
    pixels = pixels_above(activations, found.thresholds, (8, 8))
    active = np.zeros((len(patient) * 6, 64), bool)
    active[pixels.item, pixels.pixel] = True
    active = active.reshape(len(patient), 6, 64)
    given, true = assignments(drawn, list(patient), exchanges)
    iou, share = np.zeros((2, len(given), 6, 2))
    for number, images in enumerate(given):
        regions = masks[images].reshape(len(patient), 2, 64)
        for unit in range(6):
            for concept in range(2):
                one, other = active[:, unit], regions[:, concept]
                areas = sorted([one.sum(), other.sum()])
                iou[number, unit, concept] = (one & other).sum() / (one | other).sum()
                share[number, unit, concept] = iou[number, unit, concept] / (areas[0] / areas[1])
    np.testing.assert_allclose(found.iou, iou[true])
    others = np.delete(iou, true, 0)
    rank = int(np.ceil(0.8 * exchanges)) - 1
    np.testing.assert_allclose(found.null, np.sort(others, axis=0)[rank])
    np.testing.assert_allclose(found.p, (1 + (others >= iou[true]).sum(0)) / (1 + exchanges))
    np.testing.assert_allclose(found.p_corrected, corrected_p(share, true))


def test_corrected_p_by_hand():
    # Means 2 and 1.6, standard deviations √2 and 3.2, typically 2.307. Scores are −0.54, −0.27, 0,
    # 0.27, 0.54, and −0.29 four times, 1.16; the highest −0.29, −0.27, 0, 0.27, 1.16.
    values = np.array([[0, 0], [1, 0], [2, 0], [3, 0], [4, 8]], float)
    assert corrected_p(values, 4).tolist() == [0.2, 0.2]
    assert corrected_p(values, 3).tolist() == [0.4, 1.0]
    assert corrected_p(values, 1).tolist() == [0.8, 1.0]


def test_neither_order_of_images_nor_names_nor_chunks_change_anything():
    activations, masks, patient = small((3, 1, 2, 5))
    settings = {"permutations": 30, "seed": 2}
    expected = dissect(activations, masks, 0.1, groups=patient, **settings).table()
    mixed = np.random.default_rng(0).permutation(len(patient))
    numbers = np.unique(patient, return_inverse=True)[1][mixed]
    for chunk in (1, 700, 2**27):
        found = dissect(
            activations[mixed], masks[mixed], 0.1, groups=-numbers, chunk=chunk, **settings
        )
        assert found.table().equals(expected)


def test_one_patient_has_nothing_to_exchange():
    activations, masks, patient = small()
    found = dissect(activations, masks, groups=["x"] * len(patient), permutations=20)
    assert np.isnan(found.p_corrected).all()
    assert not found.detects_beyond_null.any()


def test_each_image_needs_its_patient():
    activations, masks, patient = small()
    with pytest.raises(ValueError, match="patient of each image"):
        dissect(activations, masks, groups=patient[1:])
