"""Adversarial training, symmetric and asymmetric."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Gt
from torch import Tensor, nn
from torch.func import functional_call

from rarelens.components._rare_classes import IGNORED, is_rare, one_hot, refuse_empty
from rarelens.components.contracts import Loss
from rarelens.components.objectives.cross_entropy import CrossEntropyLoss

__all__ = ["Adversarial", "adversarial_example"]


class Adversarial:
    """A further pass on images moved where the base loss grows fastest (Li et al., TMI 2021).

    Args:
        epsilon: ε, the length of the step over a whole patch with all its channels; per voxel it
            is ε/√N, and so depends on the patch size.
        xi: ξ, the length of the random step from which the direction is taken.
        normalise: in the asymmetric form, "all" divides a mean of the base loss by all voxels, as
            the code of Li et al. does, "counted" by those of rare classes. Beside Dice this decides
            how much cross-entropy weighs in the direction; alone it plays no part.
        rare_classes: the direction counts their voxels only; None for every voxel.
    """

    gradient_evaluations = 2  # one for the direction, one for the loss there

    def __init__(
        self,
        epsilon: Annotated[float, Gt(0)] = 10.0,
        xi: Annotated[float, Gt(0)] = 1e-5,
        normalise: Literal["counted", "all"] = "all",
        rare_classes: Sequence[int] | None = None,
    ) -> None:
        refuse_empty(rare_classes, "no patch would be perturbed")
        self.epsilon = epsilon
        self.xi = xi
        self.normalise = normalise
        self.rare_classes = rare_classes

    def extra(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        base_loss: Loss,
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Perturbed images, and the labels as they are: the loss there is over all voxels."""
        # Cross-entropy alone has the same direction either way, and class indices are cheaper.
        if self.normalise == "all" and not isinstance(base_loss, CrossEntropyLoss):
            base_loss = _over_all_voxels(base_loss)
        perturbed = adversarial_example(
            model, images, labels, base_loss, self.epsilon, self.xi, self.rare_classes, rng
        )
        return perturbed, labels

    def facts(self, channels: int, patch: Sequence[int]) -> dict[str, float]:
        """ε/√N, for ε is of a whole patch, and so depends on the patch size."""
        return {"epsilon_per_voxel": self.epsilon / math.sqrt(channels * math.prod(patch))}


def adversarial_example(
    model: nn.Module,
    images: Tensor,
    target: Tensor,
    loss: Loss,
    epsilon: float,
    xi: float,
    rare_classes: Sequence[int] | None = None,
    generator: np.random.Generator | None = None,
) -> Tensor:
    r"""One adversarial step, :math:`x + \epsilon\, d / \lVert d \rVert_2` for each sample.

    The direction :math:`d = \nabla_x L_0(x + \xi u, y)` is computed in float32, u being Gaussian
    and scaled to unit norm (Miyato et al., TPAMI 2018). In the asymmetric form every term of the
    loss is masked to voxels of rare classes (Li et al., TMI 2021). A sample that has none, or whose
    gradient is 0, comes back as it is. At the default ξ of 1e-5 the random step changes 83 % of
    the float32 voxels of a standardised patch of 16³, 48 % of 40³ and 21 % of 80³; the direction
    hardly depends on it, for unlike that of a divergence the gradient of L₀ is not 0 at x.

    The model is left as it was: no gradients, no batch statistics, and, as dropout draws from
    PyTorch's random state and that is put back, the same masks afterwards. It runs in the mode
    it is in.

    Args:
        model: maps images to logits.
        images: (B, channels, *spatial).
        target: class indices (B, *spatial); or anything the loss takes, in the symmetric form.
        loss: L₀ of logits and target; in the asymmetric form it must leave out voxels of −100.
        epsilon: ε, the norm of the perturbation of each sample.
        xi: ξ, the norm of the random step.
        rare_classes: the rare classes; None for the symmetric form.
        generator: of u; a fresh unseeded one by default.

    Returns:
        Perturbed images, like ``images``, detached.

    Raises:
        ValueError: if ``rare_classes`` is empty.
        TypeError: if ``rare_classes`` come with a soft target.
    """
    refuse_empty(rare_classes, "no patch would be perturbed")
    start = images.detach().float()
    moved = torch.ones(len(images), dtype=torch.bool, device=images.device)
    if rare_classes is not None:
        if target.is_floating_point():
            raise TypeError("rare_classes need a target of class indices, not a soft one")
        rare = is_rare(target, rare_classes)
        target, moved = target.where(rare, IGNORED), rare.flatten(1).any(1)
        if not moved.any():
            return images.detach()
    rng = generator or np.random.default_rng()
    draws = torch.from_numpy(rng.standard_normal(start.shape, np.float32)).to(start)
    direction = _gradient(model, start + xi * _unit(draws), target, loss)
    # The other samples of a batch can reach one without rare voxels through batch statistics.
    step = epsilon * _unit(direction) * _per_sample(moved, start)
    return (start + step).to(images.dtype)


def _over_all_voxels(loss: Loss) -> Loss:
    """The loss with a one-hot target that has nothing where a voxel is ignored."""

    def over_all(logits: Tensor, target: Tensor) -> Tensor:
        return loss(logits, one_hot(target, target != IGNORED, logits.shape[1]))

    return over_all


def _gradient(model: nn.Module, images: Tensor, target: Tensor, loss: Loss) -> Tensor:
    """The gradient of the loss with respect to the images, in float32."""
    images = images.requires_grad_()
    state = {name: value.detach() for name, value in model.named_parameters()}
    # Batch normalisation writes into its buffers: let it write into copies.
    state |= {name: value.clone() for name, value in model.named_buffers()}
    device = images.device
    with (
        torch.random.fork_rng([device] if device.type == "cuda" else []),
        torch.enable_grad(),
        torch.autocast(device.type, enabled=False),
        _plain_forward(model),
    ):
        value = loss(functional_call(model, state, (images,)).float(), target)
        return torch.autograd.grad(value, images)[0]


@contextmanager
def _plain_forward(model: nn.Module) -> Iterator[None]:
    """Take off the autocast that Accelerate has put around ``forward``, for a while."""
    wrapped = vars(model).pop("forward", None) if hasattr(model, "_original_forward") else None
    try:
        yield
    finally:
        if wrapped is not None:
            vars(model)["forward"] = wrapped


def _unit(vectors: Tensor) -> Tensor:
    """Scale each sample to unit norm; one of 0 stays 0."""
    flat = vectors.flatten(1)
    # First by the largest entry, for the squares of a small gradient would vanish.
    flat = flat / _or_one(flat.abs().amax(1, keepdim=True))
    return (flat / _or_one(flat.norm(dim=1, keepdim=True))).view_as(vectors)


def _or_one(scale: Tensor) -> Tensor:
    return scale.where(scale != 0, 1.0)


def _per_sample(values: Tensor, like: Tensor) -> Tensor:
    return values.view(-1, *[1] * (like.ndim - 1))
