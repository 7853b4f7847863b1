from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rarelens.components.objectives.dice_cross_entropy import DiceCrossEntropyLoss
from rarelens.components.regularisers.mixup import Mixup, mix_patches

RARE = [2, 3]


class Fixed:
    """A generator whose Beta numbers are known."""

    def __init__(self, *shares: float) -> None:
        self.shares = np.array(shares)

    def beta(self, a: float, b: float, size: int) -> np.ndarray:
        assert size == len(self.shares)
        return self.shares


def pair() -> tuple[Tensor, Tensor]:
    """Two patches of 2×2×2 voxels; 0 and 1 are not rare, 2 and 3 are.

    Voxel by voxel: 0|0, 2|2, 2|0, 1|3, 2|3, 3|2, 0|1, 1|0.
    """
    own = torch.tensor([0, 2, 2, 1, 2, 3, 0, 1])
    partner = torch.tensor([0, 2, 0, 3, 3, 2, 1, 0])
    images = torch.stack([torch.full((1, 2, 2, 2), 10.0), torch.full((1, 2, 2, 2), 20.0)])
    return images, torch.stack([own, partner]).view(2, 2, 2, 2)


def hard(share: float, margin: float) -> tuple[Tensor, list[int], list[int]]:
    images, labels = pair()
    mixed, target, counts = mix_patches(images, labels, 1.0, margin, RARE, Fixed(share))
    assert torch.equal(counts, target != -100)
    return mixed, target[0].flatten().tolist(), target[1].flatten().tolist()


def test_asymmetric_cases_where_the_rare_patch_weighs_enough() -> None:
    # λ = 0.75·(1 − 0.2) = 0.6 for the first patch and its partner 0.4; both exceed m = 0.2. So a
    # rare label wins over a non-rare one on either side.
    mixed, first, second = hard(0.75, 0.2)
    assert first == [0, 2, 2, 3, -100, -100, -100, -100]
    # The second patch is 0.6 of itself and 0.4 of the first; its pairs are the same reversed.
    assert second == [0, 2, 2, 3, -100, -100, -100, -100]
    torch.testing.assert_close(mixed[0], torch.full((1, 2, 2, 2), 0.6 * 10 + 0.4 * 20))
    torch.testing.assert_close(mixed[1], torch.full((1, 2, 2, 2), 0.6 * 20 + 0.4 * 10))


def test_asymmetric_cases_where_the_rare_patch_weighs_too_little() -> None:
    # λ = 0.125·(1 − 0.2) = 0.1: below m = 0.2 where the patch itself is rare, 0.9 where its
    # partner is.
    _, first, second = hard(0.125, 0.2)
    assert first == [0, 2, -100, 3, -100, -100, -100, -100]
    assert second == [0, 2, 2, -100, -100, -100, -100, -100]


def test_weight_equal_to_the_margin_is_ignored() -> None:
    # λ = 0.5·(1 − 0.5) = 0.25 exactly in binary; margin 0.5 refuses it, and accepts 0.75.
    _, first, _ = hard(0.5, 0.5)
    assert first == [0, 2, -100, 3, -100, -100, -100, -100]
    # λ = 1·(1 − 0.5) = 0.5 is not above the margin on either side.
    _, first, second = hard(1.0, 0.5)
    assert first == second == [0, 2, -100, -100, -100, -100, -100, -100]


def test_symmetric_targets_are_mixed_like_the_images() -> None:
    images, labels = pair()
    mixed, target, counts = mix_patches(images, labels, 1.0, generator=Fixed(0.25), classes=4)
    torch.testing.assert_close(mixed[0], torch.full((1, 2, 2, 2), 0.25 * 10 + 0.75 * 20))
    expected = torch.tensor(
        [
            [1.0, 0, 0, 0],
            [0, 0, 1, 0],
            [0.75, 0, 0.25, 0],
            [0, 0.25, 0, 0.75],
            [0, 0, 0.25, 0.75],
            [0, 0, 0.75, 0.25],
            [0.25, 0.75, 0, 0],
            [0.75, 0.25, 0, 0],
        ]
    )
    torch.testing.assert_close(target[0].flatten(1).T, expected)
    torch.testing.assert_close(target.sum(1), torch.ones(2, 2, 2, 2))
    assert counts.all()


def test_partner_is_the_batch_reversed_and_the_middle_one_itself() -> None:
    images = torch.arange(3.0).view(3, 1, 1, 1, 1)
    labels = torch.zeros(3, 1, 1, 1, dtype=torch.long)
    mixed, _, _ = mix_patches(images, labels, 1.0, generator=Fixed(0.75), classes=2)
    torch.testing.assert_close(mixed.flatten(), torch.tensor([0.5, 1.0, 1.5]))


def test_weight_per_sample() -> None:
    images, labels = pair()
    mixed, target, _ = mix_patches(
        images, labels, 1.0, generator=Fixed(0.25, 0.5), classes=4, per_sample=True
    )
    assert mixed.flatten(1)[:, 0].tolist() == [17.5, 15.0]
    assert target[1, :, 0, 1, 0].tolist() == [0.5, 0, 0.5, 0]


def test_voxels_that_did_not_count_still_do_not() -> None:
    images, labels = pair()
    labels[0, 0, 0, 0] = -100  # beside a 0
    labels[0, 0, 0, 1] = -100  # beside a rare 2
    labels[:, 0, 1, 0] = -100
    _, target, counts = mix_patches(images, labels, 1.0, 0.0, RARE, Fixed(0.5))
    assert target.flatten(1)[:, :3].tolist() == [[-100] * 3] * 2
    assert torch.equal(counts, target != -100)
    _, target, counts = mix_patches(images, labels, 1.0, generator=Fixed(0.5), classes=4)
    assert counts[0].flatten().tolist() == [False] * 3 + [True] * 5
    assert target[0].flatten(1)[:, :3].abs().sum() == 0


def test_same_generator_same_mixture_and_beta_is_what_is_drawn() -> None:
    images, labels = pair()
    draws = [
        mix_patches(images, labels, 0.2, 0.2, RARE, np.random.default_rng(s))[0] for s in (1, 1, 2)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    share = np.random.default_rng(1).beta(0.2, 0.2) * 0.8
    assert draws[0][0, 0, 0, 0, 0].item() == pytest.approx(share * 10 + (1 - share) * 20)


def test_labels_may_be_smaller_than_images() -> None:
    images, labels = torch.randn(2, 1, 6, 6, 6), pair()[1]
    mixed, target, _ = mix_patches(images, labels, 1.0, 0.2, RARE, np.random.default_rng(0))
    assert (mixed.shape, target.shape) == (images.shape, labels.shape)


@pytest.mark.parametrize("normalise", ["counted", "all"])
def test_ignored_voxels_leave_the_mean_or_only_the_sum(normalise: str) -> None:
    images, labels = pair()
    regulariser = Mixup(4, margin=0.2, normalise=normalise, rare_classes=RARE)
    _, target = regulariser.extra(nn.Identity(), images, labels, None, Fixed(0.75))
    logits = torch.randn(2, 4, 2, 2, 2, generator=torch.Generator().manual_seed(0))
    losses = -F.log_softmax(logits, 1).flatten(2)
    # Of the eight voxels the first four count, as 0, 2, 2, 3.
    total = losses[:, [0, 2, 2, 3], range(4)].sum()
    divisor = 8 if normalise == "counted" else 16
    torch.testing.assert_close(F.cross_entropy(logits, target), total / divisor)


def test_over_all_voxels_dice_leaves_ignored_ones_out_as_the_authors_code() -> None:
    images, labels = pair()
    regulariser = Mixup(4, margin=0.2, normalise="all", rare_classes=RARE)
    _, target = regulariser.extra(nn.Identity(), images, labels, None, Fixed(0.75))
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 2, 2, 2, generator=generator).requires_grad_()
    # Of the eight voxels the first four count, as 0, 2, 2, 3. Class 1 is nowhere.
    p = logits.softmax(1).flatten(2)[:, :, :4]
    truth = F.one_hot(torch.tensor([0, 2, 2, 3]), 4).T
    cross_entropy = -(truth * p.log()).sum() / 16
    s = 1e-5
    dice = (2 * (p * truth).sum(2) + s) / (p.sum(2) + truth.sum(1) + s)
    expected = cross_entropy + 1 - dice[:, 1:].mean()
    actual = DiceCrossEntropyLoss(smooth=s)(logits, target)
    torch.testing.assert_close(actual, expected)
    (gradient,) = torch.autograd.grad(actual, logits, retain_graph=True)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, logits)[0])
    assert torch.equal(gradient.flatten(2)[:, :, 4:], torch.zeros(2, 4, 4))


def test_symmetric_class_gives_soft_targets_for_one_evaluation() -> None:
    images, labels = pair()
    regulariser = Mixup(4)
    mixed, target = regulariser.extra(nn.Identity(), images, labels, None, Fixed(0.25))
    expected = mix_patches(images, labels, 1.0, generator=Fixed(0.25), classes=4)
    assert regulariser.gradient_evaluations == 1
    assert torch.equal(mixed, expected[0])
    assert torch.equal(target, expected[1])


def test_missing_classes_and_empty_rare_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="classes is missing"):
        mix_patches(*pair(), 1.0)
    with pytest.raises(ValueError, match="rare_classes is empty"):
        Mixup(4, rare_classes=[])
