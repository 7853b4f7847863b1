"""What every objective keeps: targets, ignored voxels, precision, gradients."""

from __future__ import annotations

import pytest
import torch

from rarelens.components.objectives.cross_entropy import CrossEntropyLoss
from rarelens.components.objectives.dice_cross_entropy import DiceCrossEntropyLoss
from rarelens.components.objectives.focal import FocalLoss
from rarelens.components.objectives.large_margin import LargeMarginLoss
from rarelens.components.objectives.weighted_cross_entropy import WeightedCrossEntropyLoss

VOXELWISE = {
    "cross_entropy": CrossEntropyLoss,
    "weighted_cross_entropy": lambda **given: WeightedCrossEntropyLoss([100, 5, 1], **given),
    "large_margin": LargeMarginLoss,
    "asymmetric_large_margin": lambda **given: LargeMarginLoss(rare_classes=[2], **given),
    "focal": FocalLoss,
    "asymmetric_focal": lambda **given: FocalLoss(rare_classes=[2], **given),
}
ALL = {**VOXELWISE, "dice_cross_entropy": DiceCrossEntropyLoss}


@pytest.fixture(params=ALL)
def loss(request) -> torch.nn.Module:
    return ALL[request.param]()


@pytest.fixture(params=VOXELWISE)
def voxelwise(request):
    return VOXELWISE[request.param]


def test_gradients_are_those_of_finite_differences(loss, draw):
    sample = draw(3, (2,))
    logits = sample.logits.requires_grad_()
    for target in (sample.index, sample.soft):
        assert torch.autograd.gradcheck(lambda z, y=target: loss(z, y), logits)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_logits_are_computed_in_float32(loss, draw, dtype):
    sample = draw(3, (4, 5, 6))
    half = sample.logits.to(dtype).requires_grad_()
    full = half.detach().float().requires_grad_()
    for target in (sample.index, sample.soft.float()):
        expected = loss(full, target)
        actual = loss(half, target)
        assert actual.dtype == torch.float32
        assert torch.equal(actual, expected)
        (gradient,) = torch.autograd.grad(actual, half)
        (exact,) = torch.autograd.grad(expected, full)
        assert torch.equal(gradient, exact.to(dtype))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("form", ["index", "hard", "soft"])
def test_extreme_logits_give_finite_losses_and_gradients(loss, draw, dtype, form):
    sample = draw(3)
    for sign in (1, -1):  # all right, all wrong
        logits = (sign * 1e4 * (2 * sample.hard - 1)).to(dtype).requires_grad_()
        target = getattr(sample, form)
        value = loss(logits, target if form == "index" else target.to(logits).to(torch.float32))
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("ignore_index", [-100, 255, 1])
def test_ignored_voxels_do_not_count(voxelwise, draw, ignore_index):
    sample = draw(3)
    drawn = torch.rand(sample.index.shape, generator=torch.Generator().manual_seed(0)) < 0.3
    ignored = drawn | (sample.index == ignore_index)
    target = sample.index.masked_fill(ignored, ignore_index)
    given = {"ignore_index": ignore_index}
    everywhere = voxelwise(reduction="none")(sample.logits, sample.index)
    kept = everywhere[~ignored]
    logits = sample.logits.requires_grad_()
    voxels = voxelwise(reduction="none", **given)(logits, target)
    torch.testing.assert_close(voxels[~ignored], kept)
    assert (voxels[ignored] == 0).all()
    torch.testing.assert_close(voxelwise(reduction="sum", **given)(logits, target), kept.sum())
    mean = voxelwise(**given)(logits, target)
    torch.testing.assert_close(mean, kept.mean())
    mean.backward()
    assert (logits.grad.movedim(1, -1)[ignored] == 0).all()
    assert (logits.grad.movedim(1, -1)[~ignored] != 0).any(dim=-1).all()


def test_with_every_voxel_ignored_the_loss_is_0_and_has_gradient_0(voxelwise, draw):
    logits = draw(3).logits.requires_grad_()
    loss = voxelwise()(logits, torch.full((2, 4, 5), -100))
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_reductions_agree(voxelwise, draw):
    sample = draw(3)
    for target in (sample.index, sample.soft):
        voxels = voxelwise(reduction="none")(sample.logits, target)
        assert voxels.shape == sample.index.shape
        total = voxelwise(reduction="sum")(sample.logits, target)
        torch.testing.assert_close(total, voxels.sum())
        torch.testing.assert_close(voxelwise()(sample.logits, target), voxels.mean())


@pytest.mark.parametrize(
    "target",
    [
        torch.zeros(2, 4, 4).long(),
        torch.zeros(1, 4, 5).long(),
        torch.zeros(2, 1, 4, 5).long(),
        torch.zeros(2, 4, 5),
        torch.zeros(2, 3, 4, 5).long(),
        torch.zeros(2, 2, 4, 5),
    ],
    ids=["space", "batch", "channel", "floating index", "integer shares", "classes"],
)
def test_a_target_that_does_not_fit_is_refused(loss, draw, target):
    with pytest.raises(ValueError, match=r"target .* fits logits \(2, 3, 4, 5\) neither as"):
        loss(draw(3).logits.float(), target)


@pytest.mark.parametrize("component", [LargeMarginLoss, FocalLoss])
@pytest.mark.parametrize("outside", [3, -1])
def test_a_rare_class_that_the_logits_lack_is_refused(draw, component, outside):
    sample = draw(3)
    loss = component(rare_classes=[1, outside])
    with pytest.raises(ValueError, match=rf"\[{outside}\] are not among the 3 classes"):
        loss(sample.logits, sample.index)


def test_the_target_and_the_logits_are_left_as_they_are(loss, draw):
    sample = draw(3)
    for target in (sample.index, sample.soft):
        before = sample.logits.clone(), target.clone()
        loss(sample.logits, target)
        assert torch.equal(sample.logits, before[0])
        assert torch.equal(target, before[1])
