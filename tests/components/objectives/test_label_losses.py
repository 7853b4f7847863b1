"""What every classification objective keeps: labels, ignored ones, precision, gradients."""

from __future__ import annotations

import inspect
import math

import pytest
import torch

from rarelens.components import objectives as o
from rarelens.studies.building import check_options, find, needs

POSITIVES, NEGATIVES, IMAGES = [400.0, 30.0, 4.0], [620.0, 990.0, 1016.0], 1020
SUPPLIED = ("positives", "negatives", "images", "classes", "reduction")
GIVEN = {
    "positives": POSITIVES,
    "negatives": NEGATIVES,
    "images": IMAGES,
    "classes": 3,
}
FILES = {
    "bce": {},
    "weighted_bce": {},
    "inter_class_weighted_bce": {},
    "sigmoid_focal": {},
    "class_balanced_focal": {},
    "asymmetric_multi_label": {},
    "multi_task": {},
    "sigmoid_logit_adjusted": {},
    "sigmoid_ldam": {},
    "distribution_balanced": {},
}
CASES = {
    **{name: (name, options) for name, options in FILES.items()},
    "weighted_bce from the batch": ("weighted_bce", {"source": "batch"}),
    "inter_class_weighted_bce, paper code": ("inter_class_weighted_bce", {"paper_code": True}),
    "focal below 1": ("sigmoid_focal", {"gamma": 0.5}),
    "asymmetric below 1": (
        "asymmetric_multi_label",
        {"gamma_positive": 0.5, "gamma_negative": 0.5},
    ),
    "asymmetric without clip": ("asymmetric_multi_label", {"clip": 0.0}),
    "sigmoid_ldam, weighted": ("sigmoid_ldam", {"deferred": 1.0}),
    "distribution_balanced, focal": ("distribution_balanced", {"gamma": 2.0, "paper_code": True}),
}
WITHOUT_CLASSES = ("bce", "sigmoid_focal", "asymmetric_multi_label")
# Losses of a label that depend on the other labels of its image or batch.
TOGETHER = {"weighted_bce from the batch", "distribution_balanced", "distribution_balanced, focal"}


def build(case: str, **more) -> torch.nn.Module:
    file, options = CASES[case]
    component = find("objectives", file)
    loss = component(**options, **more, **{k: GIVEN[k] for k in needs(component, list(GIVEN))})
    if "log_variances" in dict(loss.named_parameters()):
        with torch.no_grad():
            loss.log_variances.copy_(torch.tensor([0.3, -0.2, 0.1]))
    return loss


@pytest.fixture(params=CASES)
def case(request) -> str:
    return request.param


@pytest.fixture
def logits() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(12, 3, dtype=torch.float64, generator=generator)


@pytest.fixture
def targets() -> torch.Tensor:
    rows = [[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1], [1, 1, 1], [0, 1, 0]]
    return torch.tensor(rows * 2, dtype=torch.float64)


@pytest.fixture
def ignored() -> torch.Tensor:
    return torch.rand(12, 3, generator=torch.Generator().manual_seed(1)) < 0.3


def test_gradients_are_those_of_finite_differences(case, logits, targets, ignored):
    loss = build(case).double()
    logits.requires_grad_()
    for labels in (targets, targets.masked_fill(ignored, math.nan)):
        assert torch.autograd.gradcheck(lambda z, y=labels: loss(z, y), logits)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_logits_are_computed_in_float32(case, logits, targets, dtype):
    half = logits.to(dtype).requires_grad_()
    full = half.detach().float().requires_grad_()
    loss = build(case)
    with torch.autocast("cpu", torch.bfloat16):
        actual = loss(half, targets.to(dtype))
    expected = loss(full, targets.float())
    assert actual.dtype == torch.float32
    assert torch.equal(actual, expected)
    (gradient,) = torch.autograd.grad(actual, half)
    (exact,) = torch.autograd.grad(expected, full)
    assert torch.equal(gradient, exact.to(dtype))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1e4, 50.0, 0.0])
@pytest.mark.parametrize("sign", [1, -1], ids=["right", "wrong"])
def test_extreme_logits_give_finite_losses_and_gradients(case, targets, dtype, size, sign):
    logits = (sign * size * (2 * targets - 1)).to(dtype).requires_grad_()
    value = build(case)(logits, targets.float())
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


def test_ignored_labels_do_not_count(case, logits, targets, ignored):
    labels = targets.masked_fill(ignored, math.nan)
    logits.requires_grad_()
    each = build(case, reduction="none")(logits, labels)
    assert (each[ignored] == 0).all()
    if case not in TOGETHER:
        everywhere = build(case, reduction="none")(logits, targets)
        assert torch.equal(each[~ignored], everywhere[~ignored])
    mean = build(case)(logits, labels)
    extra = 0.1 if case == "multi_task" else 0.0  # half the sum of the log-variances above
    torch.testing.assert_close(mean, each[~ignored].mean() + extra)
    mean.backward()
    assert (logits.grad[ignored] == 0).all()
    other = logits.detach() + 5 * ignored
    assert torch.equal(build(case)(other, labels), mean.detach())


def test_an_image_of_which_all_labels_are_ignored_is_as_if_it_were_not_there(case, logits, targets):
    labels = targets.clone()
    labels[8:] = math.nan
    for reduction in ("mean", "sum"):
        loss = build(case, reduction=reduction)
        expected = loss(logits[:8], targets[:8])
        torch.testing.assert_close(loss(logits, labels), expected, rtol=1e-14, atol=0)


def test_with_every_label_ignored_the_loss_is_0_and_has_gradient_0(case, logits):
    loss = build(case)
    logits.requires_grad_()
    value = loss(logits, torch.full((12, 3), math.nan))
    value.backward()
    assert value.item() == 0
    assert all((t.grad == 0).all() for t in [logits, *loss.parameters()])


def test_reductions_agree(case, logits, targets):
    each, total, mean = (build(case, reduction=r)(logits, targets) for r in ("none", "sum", "mean"))
    assert each.shape == (12, 3)
    extra = 0.1 if case == "multi_task" else 0.0
    torch.testing.assert_close(total, each.sum() + extra)
    torch.testing.assert_close(mean, each.mean() + extra)


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.bool])
def test_labels_of_any_type_do(case, logits, targets, dtype):
    loss = build(case)
    assert torch.equal(loss(logits, targets.to(dtype)), loss(logits, targets))


def test_the_arguments_are_left_as_they_are(case, logits, targets, ignored):
    labels = targets.masked_fill(ignored, math.nan)
    before = logits.clone(), labels.clone()
    build(case)(logits, labels)
    assert torch.equal(logits, before[0])
    assert torch.equal(labels.nan_to_num(9), before[1].nan_to_num(9))


@pytest.mark.parametrize("shape", [(12,), (12, 2), (3, 12), (12, 3, 1)])
def test_labels_of_another_shape_are_refused(case, logits, shape):
    with pytest.raises(ValueError, match=r"targets .* do not fit logits \(12, 3\)"):
        build(case)(logits, torch.zeros(shape))


@pytest.mark.parametrize("wrong", [-1.0, 0.5, 2.0, math.inf])
def test_a_label_of_another_value_is_refused(case, logits, targets, wrong):
    targets[3, 1] = wrong
    with pytest.raises(ValueError, match="other than 0, 1 and NaN"):
        build(case)(logits, targets)


@pytest.mark.parametrize("file", [f for f in FILES if f not in WITHOUT_CLASSES])
def test_another_number_of_classes_is_refused(file):
    with pytest.raises(ValueError, match="has 3 entries for 5 classes"):
        build(file)(torch.zeros(2, 5), torch.zeros(2, 5))


@pytest.mark.parametrize("file", FILES)
def test_classes_without_positives_or_without_negatives_are_harmless(file, logits, targets):
    component = find("objectives", file)
    given = GIVEN | {"positives": [0, 1020, 3], "negatives": [1020, 0, 1017]}
    loss = component(**{key: given[key] for key in needs(component, list(given))})
    logits.requires_grad_()
    value = loss(logits, targets)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()
    one = GIVEN | {"positives": [1, 1020, 3], "negatives": [1020, 1, 1017]}
    same = component(**{key: one[key] for key in needs(component, list(one))})
    assert torch.equal(value, same(logits, targets))


@pytest.mark.parametrize("file", FILES)
def test_the_options_have_types_that_parameters_can_be_checked_against(file):
    component = find("objectives", file)
    taken = inspect.signature(component).parameters
    defaults = {k: p.default for k, p in taken.items() if k not in SUPPLIED}
    assert check_options(component, defaults, SUPPLIED, "methods.mine") == defaults
    assert issubclass(component, o.LabelLoss)
    assert taken["reduction"].default == "mean"


def test_state_survives_saving(case, logits, targets):
    saved, loaded = build(case), build(case)
    loaded.load_state_dict(saved.state_dict())
    assert torch.equal(saved(logits, targets), loaded(logits, targets))
