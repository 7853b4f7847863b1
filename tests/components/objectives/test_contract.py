"""What the losses beyond those of test_all.py keep: targets, ignored voxels, precision."""

from __future__ import annotations

import pytest
import torch

from rarelens.components import objectives as o

COUNTS = [100.0, 20.0, 5.0]
VOXELWISE = {
    "focal_margin": o.FocalMarginLoss,
    "asymmetric_focal_margin": lambda **given: o.FocalMarginLoss(rare_classes=[2], **given),
    "logit_adjusted": lambda **given: o.LogitAdjustedLoss(COUNTS, **given),
    "ldam": lambda **given: o.LDAMLoss(COUNTS, **given),
    "vector_scaling": lambda **given: o.VectorScalingLoss(COUNTS, **given),
    "topk": lambda **given: o.TopKCrossEntropyLoss(0.5, **given),
}
OVERLAP = {
    "dice": o.DiceLoss,
    "generalised_dice": o.GeneralisedDiceLoss,
    "tversky": o.TverskyLoss,
    "focal_tversky": o.FocalTverskyLoss,
    "focal_dice": o.FocalDiceLoss,
    "asymmetric_focal_dice": lambda **given: o.FocalDiceLoss(0.5, rare_classes=[2], **given),
    "asymmetric_unified_focal": lambda **given: o.AsymmetricUnifiedFocalLoss(
        rare_classes=[2], **given
    ),
}
DISTANCE = {"boundary": o.BoundaryLoss, "hausdorff": o.HausdorffLoss}
BATCH = {
    "batch_dice": lambda **given: o.DiceLoss(batch=True, **given),
    "batch_generalised_dice": lambda **given: o.GeneralisedDiceLoss(batch=True, **given),
    "batch_tversky": lambda **given: o.TverskyLoss(batch=True, **given),
    "batch_focal_tversky": lambda **given: o.FocalTverskyLoss(batch=True, **given),
    "batch_focal_dice": lambda **given: o.FocalDiceLoss(batch=True, **given),
}
COMPOUND = {
    "compound": lambda **given: o.CompoundLoss(
        [o.FocalMarginLoss(4, 1, [2], **given), o.FocalDiceLoss(4, [2], **given)], [1, 0.5]
    ),
    "dice_cross_entropy": o.DiceCrossEntropyLoss,
}
REDUCIBLE = {**VOXELWISE, **OVERLAP, **DISTANCE, **BATCH}
ALL = {**REDUCIBLE, **COMPOUND}


@pytest.fixture(params=ALL)
def make(request):
    return ALL[request.param]


@pytest.mark.parametrize("name", [name for name in ALL if name != "hausdorff"])
def test_gradients_are_those_of_finite_differences(name, draw):
    sample = draw(3, (2, 3))
    logits = sample.logits.requires_grad_()
    ignored = sample.index.masked_fill(torch.tensor([[True, False, False], [False] * 3]), -100)
    for target in (sample.index, sample.soft, ignored):
        loss = ALL[name]()
        assert torch.autograd.gradcheck(lambda z, y=target, f=loss: f(z, y), logits)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_logits_are_computed_in_float32(make, draw, dtype):
    sample = draw(3, (4, 5, 6))
    half = sample.logits.to(dtype).requires_grad_()
    full = half.detach().float().requires_grad_()
    for target in (sample.index, sample.soft.float()):
        expected = make()(full, target)
        with torch.autocast("cpu", torch.bfloat16):
            actual = make()(half, target)
        assert actual.dtype == torch.float32
        assert torch.equal(actual, expected)
        (gradient,) = torch.autograd.grad(actual, half)
        (exact,) = torch.autograd.grad(expected, full)
        assert torch.equal(gradient, exact.to(dtype))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("form", ["index", "hard", "soft"])
def test_extreme_logits_give_finite_losses_and_gradients(make, draw, dtype, form):
    sample = draw(3)
    for sign in (1, -1):  # all right, all wrong
        logits = (sign * 1e4 * (2 * sample.hard - 1)).to(dtype).requires_grad_()
        value = make()(logits, getattr(sample, form))
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_an_absent_class_gives_finite_losses_and_gradients(make, dtype):
    logits = torch.full((2, 3, 4, 4), -1e4, dtype=dtype)
    logits[:, 0] = 1e4
    logits.requires_grad_()
    value = make()(logits, torch.zeros(2, 4, 4).long())
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("ignore_index", [-100, 255, 1])
def test_what_is_predicted_at_ignored_voxels_does_not_matter(make, draw, ignore_index):
    sample = draw(3)
    drawn = torch.rand(sample.index.shape, generator=torch.Generator().manual_seed(0)) < 0.3
    ignored = drawn | (sample.index == ignore_index)
    target = sample.index.masked_fill(ignored, ignore_index)
    other = sample.logits + 3 * ignored.unsqueeze(1) * torch.randn(2, 3, 1, 1)
    logits = sample.logits.requires_grad_()
    loss = make(ignore_index=ignore_index)
    value = loss(logits, target)
    torch.testing.assert_close(value, loss(other, target))
    value.backward()
    assert (logits.grad.movedim(1, -1)[ignored] == 0).all()
    assert (logits.grad != 0).any()


@pytest.mark.parametrize("name", [*VOXELWISE, *OVERLAP, *BATCH, *COMPOUND])
def test_ignoring_voxels_is_leaving_them_out(name, draw):
    sample = draw(3, (4, 6))
    target = sample.index.clone()
    target[:, :, 4:] = -100
    expected = ALL[name]()(sample.logits[..., :4], target[..., :4])
    torch.testing.assert_close(ALL[name]()(sample.logits, target), expected)


@pytest.mark.parametrize("name", [name for name in OVERLAP | BATCH if "unified" not in name])
def test_a_voxel_without_any_share_is_left_out_of_overlaps(name, draw):
    sample = draw(3)
    counts = torch.rand(sample.index.shape, generator=torch.Generator().manual_seed(0)) < 0.7
    logits = sample.logits.requires_grad_()
    value = ALL[name]()(logits, sample.hard * counts.unsqueeze(1))
    torch.testing.assert_close(value, ALL[name]()(logits, sample.index.where(counts, -100)))
    value.backward()
    assert (logits.grad.movedim(1, -1)[~counts] == 0).all()


@pytest.mark.parametrize("name", [name for name in VOXELWISE if name != "topk"])
def test_a_voxel_without_any_share_counts_in_the_mean_over_voxels(name, draw):
    sample = draw(3)
    counts = torch.rand(sample.index.shape, generator=torch.Generator().manual_seed(0)) < 0.7
    value = ALL[name]()(sample.logits, sample.hard * counts.unsqueeze(1))
    over_those_that_count = ALL[name]()(sample.logits, sample.index.where(counts, -100))
    torch.testing.assert_close(value, over_those_that_count * counts.double().mean())


@pytest.mark.parametrize("name", DISTANCE)
def test_ignored_background_leaves_the_mean_over_voxels(name):
    """A margin of ignored voxels, far from the structure, halves nothing and adds nothing."""
    target = torch.zeros(1, 8, 8).long()
    target[:, 2:5, 2:5] = 1
    logits = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(target, (0, 8), value=-100)
    more = torch.nn.functional.pad(logits, (0, 8))
    torch.testing.assert_close(DISTANCE[name]()(more, padded), DISTANCE[name]()(logits, target))


def test_with_every_voxel_ignored_the_gradient_is_0(make, draw):
    logits = draw(3).logits.requires_grad_()
    value = make()(logits, torch.full((2, 4, 5), -100))
    value.backward()
    assert torch.isfinite(value)
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("name", REDUCIBLE)
def test_reductions_agree(name, draw):
    sample = draw(3)
    for target in (sample.index, sample.soft):
        values = REDUCIBLE[name](reduction="none")(sample.logits, target)
        total = REDUCIBLE[name](reduction="sum")(sample.logits, target)
        mean = REDUCIBLE[name]()(sample.logits, target)
        torch.testing.assert_close(total, values.sum())
        number = 20 if name == "topk" else values.numel()
        torch.testing.assert_close(mean, values.sum() / number)
        assert values.ndim == (3 if name in VOXELWISE else values.ndim)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("dice", (2, 2)), ("tversky", (2, 2)), ("focal_tversky", (2, 2)), ("focal_dice", (2, 2)),
        ("boundary", (2, 2)), ("hausdorff", (2, 2)), ("generalised_dice", (2,)),
        ("asymmetric_unified_focal", (2,)), ("batch_dice", (2,)), ("batch_tversky", (2,)),
        ("batch_focal_dice", (2,)), ("batch_focal_tversky", (2,)), ("batch_generalised_dice", (1,)),
    ],
)  # fmt: skip
def test_unreduced_overlap_is_a_value_for_each_sample_and_class(name, shape, draw):
    for spatial in ((4, 5), (3, 4, 5)):
        sample = draw(3, spatial)
        assert REDUCIBLE[name](reduction="none")(sample.logits, sample.index).shape == shape


def test_a_target_that_does_not_fit_is_refused(make, draw):
    with pytest.raises(ValueError, match=r"target .* fits logits \(2, 3, 4, 5\) neither as"):
        make()(draw(3).logits, torch.zeros(2, 1, 4, 5).long())


def test_hard_shares_equal_the_index(make, draw):
    sample = draw(3, (3, 4, 5))
    expected = make()(sample.logits, sample.index)
    torch.testing.assert_close(make()(sample.logits, sample.hard), expected)
