"""The wrappers of MONAI's losses: what they add, and that they compute what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

import objectives_reference as reference
from rarelens.components.objectives import (
    BoundaryLoss,
    DiceLoss,
    FocalTverskyLoss,
    GeneralisedDiceLoss,
    HausdorffLoss,
    TverskyLoss,
)


@pytest.mark.parametrize("beta", [0.5, 1.0, 1.5])
def test_tversky_equals_its_formula(sample, beta):
    for target, y in ((sample.index, sample.y), (sample.soft, sample.soft.numpy())):
        expected = reference.tversky(sample.z, y, beta, 1e-5)
        actual = TverskyLoss(beta, 1e-5, reduction="none")(sample.logits, target)
        np.testing.assert_allclose(actual, expected, rtol=1e-6)
        focal = FocalTverskyLoss(4 / 3, beta, 1e-5, reduction="none")(sample.logits, target)
        np.testing.assert_allclose(focal, expected**0.75, rtol=1e-6)


def test_dice_equals_its_formula(sample):
    for target, y in ((sample.index, sample.y), (sample.soft, sample.soft.numpy())):
        expected = reference.tversky(sample.z, y, 1.0, 0.5)
        actual = DiceLoss(1.0, reduction="none")(sample.logits, target)
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_generalised_dice_equals_its_formula(draw):
    for classes in (2, 5):
        sample = draw(classes, (4, 5, 6))
        expected = reference.generalised_dice(sample.z, sample.y)
        loss = GeneralisedDiceLoss(1e-12, reduction="none")
        np.testing.assert_allclose(loss(sample.logits, sample.index), expected, rtol=1e-6)


def test_focal_tversky_with_exponent_1_is_tversky(sample):
    expected = TverskyLoss()(sample.logits, sample.index)
    torch.testing.assert_close(FocalTverskyLoss(1.0)(sample.logits, sample.index), expected)


def blob() -> tuple[torch.Tensor, torch.Tensor]:
    target = torch.zeros(1, 9, 9, 9).long()
    target[:, 2:6, 3:7, 2:5] = 1
    logits = torch.randn(1, 2, 9, 9, 9, generator=torch.Generator().manual_seed(1))
    return logits.double(), target


def test_boundary_is_the_probability_at_its_signed_distance():
    logits, target = blob()
    inside = target[0].numpy() == 1
    outwards, inwards = distance_transform_edt(~inside), distance_transform_edt(inside)
    distances = np.where(inside, 1 - inwards, outwards)
    expected = (logits.softmax(1)[0, 1].numpy() * distances).mean()
    np.testing.assert_allclose(BoundaryLoss()(logits, target), expected, rtol=1e-6)


@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_hausdorff_is_the_squared_error_at_its_distances(alpha):
    logits, target = blob()
    p = logits.softmax(1)[0, 1].numpy()
    fields = [
        distance_transform_edt(mask) + distance_transform_edt(~mask)
        for mask in (p > 0.5, target[0].numpy() == 1)
    ]
    weights = sum(field**alpha for field in fields)
    expected = ((p - target[0].numpy()) ** 2 * weights).mean()
    np.testing.assert_allclose(HausdorffLoss(alpha)(logits, target), expected, rtol=1e-6)
