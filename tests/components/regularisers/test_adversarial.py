from __future__ import annotations

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from rarelens.components.objectives.cross_entropy import CrossEntropyLoss
from rarelens.components.objectives.dice_cross_entropy import DiceCrossEntropyLoss
from rarelens.components.regularisers.adversarial import Adversarial, adversarial_example

EPSILON, XI = 3.0, 1e-5
LOSS = CrossEntropyLoss()


def network(*, dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv3d(2, 6, 3, padding=1),
        nn.BatchNorm3d(6),
        nn.Dropout(dropout),
        nn.ReLU(),
        nn.Conv3d(6, 4, 3, padding=1),
    )


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """Three patches; classes 2 and 3 are rare, and the last patch has neither."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(3, 2, 8, 8, 8, generator=generator)
    labels = torch.randint(0, 2, (3, 8, 8, 8), generator=generator)
    labels[0, 2:4, 2:4, 2:4] = 2
    labels[1, 5:7, 5:7, 5:7] = 3
    return images, labels


def perturb(model: nn.Module, images: Tensor, labels: Tensor, rare: list[int] | None) -> Tensor:
    rng = np.random.default_rng(5)
    return adversarial_example(model, images, labels, LOSS, EPSILON, XI, rare, rng) - images


def test_perturbation_has_norm_epsilon_for_each_sample(batch: tuple[Tensor, Tensor]) -> None:
    norms = perturb(network(), *batch, None).flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, torch.full((3,), EPSILON))


def test_step_is_along_the_gradient_of_the_loss(batch: tuple[Tensor, Tensor]) -> None:
    model, (images, labels) = network().eval(), batch
    at = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(LOSS(model(at), labels), at)
    step = perturb(model, images, labels, None)
    cosine = nn.functional.cosine_similarity(step.flatten(1), gradient.flatten(1))
    assert cosine.min() > 0.9999
    assert LOSS(model(images + step), labels) > LOSS(model(images), labels)


def test_patch_without_rare_voxels_is_not_perturbed(batch: tuple[Tensor, Tensor]) -> None:
    # In training mode, batch statistics carry the other patches' gradients into it.
    step = perturb(network().train(), *batch, [2, 3])
    norms = step.flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, torch.tensor([EPSILON, EPSILON, 0.0]))
    assert torch.equal(step[2], torch.zeros_like(step[2]))


def test_batch_without_rare_voxels_comes_back(batch: tuple[Tensor, Tensor]) -> None:
    images, labels = batch[0], batch[1].clamp(max=1)
    assert torch.equal(perturb(network(), images, labels, [2, 3]), torch.zeros_like(images))


def test_asymmetric_direction_ignores_which_non_rare_class(batch: tuple[Tensor, Tensor]) -> None:
    images, labels = batch
    exchanged = torch.where(labels == 0, 1, torch.where(labels == 1, 0, labels))
    step = perturb(network(), images, labels, [2, 3])
    assert torch.equal(step, perturb(network(), images, exchanged, [2, 3]))
    symmetric = perturb(network(), images, labels, None)
    assert not torch.allclose(symmetric, perturb(network(), images, exchanged, None))


def test_asymmetric_direction_depends_on_the_rare_class(batch: tuple[Tensor, Tensor]) -> None:
    images, labels = batch
    exchanged = torch.where(labels == 2, 3, labels)
    step = perturb(network(), images, labels, [2, 3])
    assert not torch.allclose(step, perturb(network(), images, exchanged, [2, 3]))


def test_asymmetric_direction_is_local_to_the_rare_voxels(batch: tuple[Tensor, Tensor]) -> None:
    # Two 3³ convolutions reach two voxels; with fixed statistics nothing else couples voxels.
    step = perturb(network().eval(), *batch, [2, 3])[0].abs().sum(0)
    reached = torch.zeros(8, 8, 8, dtype=torch.bool)
    reached[:6, :6, :6] = True
    assert torch.equal(step > 0, reached)


class Wrapped(nn.Module):
    """Cross-entropy by another name."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return LOSS(logits, target)


def direction(normalise: str, loss: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The step of the asymmetric form, with fixed statistics."""
    regulariser = Adversarial(EPSILON, XI, normalise, [2, 3])
    moved, _ = regulariser.extra(network().eval(), *batch, loss, np.random.default_rng(5))
    return (moved - batch[0]).flatten(1)


def test_beside_dice_the_masked_cross_entropy_is_divided_by_all_voxels(
    batch: tuple[Tensor, Tensor],
) -> None:
    images, labels = batch
    images = images.clone().requires_grad_()
    p = network().eval()(images).softmax(1)
    truth = nn.functional.one_hot(labels, 4).movedim(-1, 1) * (labels >= 2).unsqueeze(1)
    shares = p * (labels >= 2).unsqueeze(1)
    s, axes = 1e-5, (2, 3, 4)
    dice = (2 * (shares * truth).sum(axes) + s) / (shares.sum(axes) + truth.sum(axes) + s)
    loss = -(truth * p.log()).sum() / labels.numel() - dice[:, 1:].mean()
    (gradient,) = torch.autograd.grad(loss, images)
    expected = gradient.flatten(1)[:2]
    cosine = nn.functional.cosine_similarity
    as_theirs, counted = (
        direction(normalise, DiceCrossEntropyLoss(s), batch) for normalise in ("all", "counted")
    )
    assert cosine(as_theirs[:2], expected).min() > 0.99999
    assert cosine(counted[:2], expected).max() < 0.999
    assert torch.equal(as_theirs[2], torch.zeros_like(as_theirs[2]))


def test_of_cross_entropy_alone_the_divisor_plays_no_part(batch: tuple[Tensor, Tensor]) -> None:
    one, other = (direction(normalise, LOSS, batch) for normalise in ("all", "counted"))
    assert torch.equal(one, other)
    # And a loss that is not known to be one is divided by all voxels, to the same direction.
    wrapped = direction("all", Wrapped(), batch)
    torch.testing.assert_close(wrapped, one, rtol=1e-4, atol=1e-5)


def test_gradient_of_zero_leaves_the_patch(batch: tuple[Tensor, Tensor]) -> None:
    model = network()
    nn.init.zeros_(model[4].weight)
    assert torch.equal(perturb(model, *batch, None), torch.zeros_like(batch[0]))


def test_tiny_gradient_still_gives_norm_epsilon(batch: tuple[Tensor, Tensor]) -> None:
    # The squares of 1e-30 vanish in float32.
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return LOSS(logits, target) * 1e-28

    rng = np.random.default_rng(5)
    moved = adversarial_example(network(), *batch, loss, EPSILON, XI, None, rng)
    norms = (moved - batch[0]).flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, torch.full((3,), EPSILON))


@pytest.mark.parametrize("rare", [None, [2, 3]])
def test_model_is_left_as_it_was(batch: tuple[Tensor, Tensor], rare: list[int] | None) -> None:
    model = network(dropout=0.5).train()
    LOSS(model(batch[0]), batch[1]).backward()
    gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    perturb(model, *batch, rare)
    assert model.training
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert len(gradients) == 6
    for gradient, parameter in zip(gradients, model.parameters(), strict=True):
        assert torch.equal(gradient, parameter.grad)
    assert not batch[0].requires_grad


def test_same_generator_same_example(batch: tuple[Tensor, Tensor]) -> None:
    steps = [
        adversarial_example(network(), *batch, LOSS, EPSILON, 1.0, None, np.random.default_rng(s))
        for s in (5, 5, 6)
    ]
    assert torch.equal(steps[0], steps[1])
    assert not torch.equal(steps[0], steps[2])


@pytest.mark.parametrize(("share", "side"), [(0.8, 16), (0.4, 40)])
def test_default_xi_changes_float32_voxels(share: float, side: int) -> None:
    seen: list[Tensor] = []

    class Spy(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images.detach())
            return images.repeat(1, 2, 1, 1, 1)

    images = torch.randn(1, 1, *[side] * 3, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(1, *[side] * 3, dtype=torch.long)
    Adversarial().extra(Spy(), images, labels, LOSS, np.random.default_rng(0))
    assert (seen[0] != images).float().mean() > share


def test_direction_is_float32_under_autocast(batch: tuple[Tensor, Tensor]) -> None:
    plain = perturb(network(), *batch, None)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(perturb(network(), *batch, None), plain)


def test_direction_is_float32_in_a_model_that_accelerate_wrapped(
    batch: tuple[Tensor, Tensor],
) -> None:
    plain = perturb(network(), *batch, None)
    wrapped = Accelerator(mixed_precision="bf16", cpu=True).prepare(network())
    half = wrapped(batch[0])
    assert torch.equal(perturb(wrapped, *batch, None), plain)
    # And Accelerate's autocast is back in its place.
    assert torch.equal(wrapped(batch[0]), half)
    assert not torch.equal(half, network()(batch[0]))


def test_empty_rare_classes_and_soft_targets_are_refused(batch: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(ValueError, match="no patch would be perturbed"):
        Adversarial(rare_classes=[])
    soft = nn.functional.one_hot(batch[1], 4).movedim(-1, 1).float()
    with pytest.raises(TypeError, match="class indices"):
        perturb(network(), batch[0], soft, [2])
    assert perturb(network(), batch[0], soft, None).abs().sum() > 0


def test_pass_costs_two_evaluations_and_keeps_the_labels(batch: tuple[Tensor, Tensor]) -> None:
    regulariser = Adversarial(epsilon=EPSILON, rare_classes=[2, 3])
    images, target = regulariser.extra(network(), *batch, LOSS, np.random.default_rng(5))
    assert regulariser.gradient_evaluations == 2
    assert torch.equal(target, batch[1])
    torch.testing.assert_close(images - batch[0], perturb(network(), *batch, [2, 3]))
