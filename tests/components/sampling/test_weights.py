"""How likely each sampler draws an image."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from rarelens.studies.building import find

nan = np.nan
# 12 images: six of class 0, two of class 1, one of class 2, class 3 never, five of none.
LABELS = np.array(
    [[1, 0, 0, 0]] * 4
    + [[1, 1, 0, 0], [1, nan, 1, 0], [0, 1, nan, 0]]
    + [[0, 0, 0, 0]] * 4
    + [[nan, nan, 0, nan]]
)  # fmt: skip


@pytest.fixture(params=["uniform", "weighted", "class_balanced"])
def weights(request):
    return find("sampling", request.param)


def by_class_then_image(labels: np.ndarray, rng: np.random.Generator) -> int:
    """One draw as the definition has it."""
    members = [np.flatnonzero(column == 1) for column in labels.T]
    members.append(np.flatnonzero(~(labels == 1).any(axis=1)))
    members = [found for found in members if len(found)]
    return int(rng.choice(members[rng.integers(len(members))]))


def test_weights_are_shares(weights):
    found = weights(LABELS)
    assert found.shape == (12,)
    assert found.dtype == np.float64
    assert (found > 0).all()
    assert found.sum() == pytest.approx(1)


def test_weights_follow_the_images(weights):
    order = np.random.default_rng(0).permutation(12)
    np.testing.assert_allclose(weights(LABELS[order]), weights(LABELS)[order])


def test_the_type_of_the_labels_does_not_matter(weights):
    np.testing.assert_array_equal(weights(LABELS.astype(np.float32)), weights(LABELS))


@pytest.mark.parametrize("value", [0, 1, nan])
def test_with_one_kind_of_image_all_are_alike(weights, value):
    np.testing.assert_allclose(weights(np.full((5, 2), value)), 0.2)


def test_uniform():
    np.testing.assert_array_equal(find("sampling", "uniform")(LABELS), 1 / 12)


def test_weighted_takes_the_rarest_positive_class_up_to_the_cap():
    cap = 0.625  # 75th percentile of 1/6, 1/2, 1/1, 1/5: a quarter of the way from 1/2 to 1
    expected = np.array([1 / 6] * 4 + [1 / 2, cap, 1 / 2] + [1 / 5] * 5)
    found = find("sampling", "weighted")(LABELS)
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-12)


def test_weighted_keeps_drawing_rare_classes_more_often_where_most_images_have_none():
    labels = np.zeros((1000, 3))
    labels[:50, 0] = labels[50:60, 1] = labels[60:62, 2] = 1
    found = find("sampling", "weighted")(labels)
    assert found[61] > found[55] > found[0] > found[999]
    assert found[61] < 5 * found[55] * (1 - 1e-9)  # capped below 1/2 over 1/10


def test_class_balanced_is_a_class_and_then_an_image():
    share = 1 / 4  # of three classes with images, and of those without
    expected = [share / 6] * 4
    expected += [share / 6 + share / 2, share / 6 + share, share / 2]
    expected += [share / 5] * 5
    np.testing.assert_allclose(find("sampling", "class_balanced")(LABELS), expected, rtol=1e-12)


def test_class_balanced_has_the_frequencies_of_its_definition():
    draw = partial(by_class_then_image, LABELS, np.random.default_rng(0))
    counts = np.bincount([draw() for _ in range(20_000)], minlength=12)
    expected = find("sampling", "class_balanced")(LABELS)
    deviations = np.sqrt(expected * (1 - expected) / 20_000)
    assert (np.abs(counts / 20_000 - expected) < 4.5 * deviations).all()
