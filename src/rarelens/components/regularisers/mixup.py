"""Mixup, symmetric and asymmetric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from rarelens.components._rare_classes import IGNORED, is_rare, one_hot, refuse_empty

__all__ = ["Mixup", "mix_patches"]


class Mixup:
    """A further pass on mixtures of the batch's own patches (Zhang et al., ICLR 2018).

    Args:
        classes: how many there are, background included.
        alpha: α of Beta(α, α), from which the weight of a patch is drawn.
        margin: m of the asymmetric form (Li et al., TMI 2021; 0.2 in their DeepMedic); the
            symmetric one has none.
        per_sample: draw a weight for each patch instead of one for the batch.
        normalise: the asymmetric form ignores some voxels. "counted" leaves them out of the mean;
            "all" divides by all voxels, as the code of Li et al. does: the target is then one-hot
            with nothing where a voxel is ignored. Either way they are left out of overlap losses.
        rare_classes: None for the symmetric form.
    """

    gradient_evaluations = 1

    def __init__(
        self,
        classes: int,
        alpha: Annotated[float, Gt(0)] = 1.0,
        margin: Annotated[float, Ge(0), Lt(1)] = 0.2,
        per_sample: bool = False,
        normalise: Literal["counted", "all"] = "counted",
        rare_classes: Sequence[int] | None = None,
    ) -> None:
        refuse_empty(rare_classes, "only voxels of equal labels would count")
        self.classes = classes
        self.alpha = alpha
        self.margin = margin
        self.per_sample = per_sample
        self.normalise = normalise
        self.rare_classes = rare_classes

    def extra(
        self,
        model: nn.Module,  # noqa: ARG002 (the protocol)
        images: Tensor,
        labels: Tensor,
        base_loss: object,  # noqa: ARG002
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Mixed images and their target: hard where there are rare classes, soft otherwise."""
        mixed, target, counts = mix_patches(
            images,
            labels,
            self.alpha,
            self.margin,
            self.rare_classes,
            rng,
            classes=self.classes,
            per_sample=self.per_sample,
        )
        if self.rare_classes is not None and self.normalise == "all":
            target = one_hot(target, counts, self.classes)
        return mixed, target

    def facts(self, channels: int, patch: Sequence[int]) -> dict[str, float]:  # noqa: ARG002
        """Nothing beside the options."""
        return {}


def mix_patches(
    images: Tensor,
    target: Tensor,
    alpha: float,
    margin: float = 0.0,
    rare_classes: Sequence[int] | None = None,
    generator: np.random.Generator | None = None,
    *,
    classes: int | None = None,
    per_sample: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Mix each patch with its partner in the reversed batch: :math:`\lambda x + (1-\lambda) x'`.

    Symmetric: :math:`\lambda \sim Beta(\alpha, \alpha)` and the labels are mixed alike (Zhang et
    al., ICLR 2018). Asymmetric: :math:`\lambda \sim (1-m)\,Beta(\alpha, \alpha)` and hard labels,
    voxel by voxel (Li et al., TMI 2021): equal labels stay; a rare with a non-rare one becomes the
    rare one if the weight of its patch exceeds m, and is ignored if not; two different rare ones
    are ignored, and so are two different non-rare ones.

    Args:
        images: (B, channels, *spatial).
        target: class indices (B, *spatial), −100 where a voxel does not count.
        alpha: α.
        margin: m; has no part in the symmetric form.
        rare_classes: the rare classes; None for the symmetric form.
        generator: of λ; a fresh unseeded one by default.
        classes: how many there are; the symmetric form needs it.
        per_sample: draw a λ for each patch instead of one for the batch.

    Returns:
        Mixed images, the target, and the Boolean mask (B, *spatial) of the voxels that count. The
        target is soft one-hot (B, C, *spatial), 0 where a voxel does not count, in the symmetric
        form; and class indices, −100 where a voxel does not count, in the asymmetric one.

    Raises:
        ValueError: if ``rare_classes`` is empty, or the symmetric form is not told ``classes``.

    Examples:
        >>> images, labels = torch.tensor([[[1.0, 1]], [[0, 0]]]), torch.tensor([[1, 0], [0, 0]])
        >>> mixed, target, _ = mix_patches(images, labels, alpha=1.0, classes=2)
        >>> torch.equal(target[0, 1, 0], mixed[0, 0, 0])  # λ, which both are mixed by
        True
    """
    refuse_empty(rare_classes, "only voxels of equal labels would count")
    rng = generator or np.random.default_rng()
    share = rng.beta(alpha, alpha, len(images) if per_sample else 1)
    if rare_classes is not None:
        share = share * (1 - margin)
    weight = torch.as_tensor(share, dtype=torch.float32, device=images.device)
    weights = _broadcast(weight, images).to(images.dtype)
    mixed = weights * images + (1 - weights) * images.flip(0)
    if rare_classes is not None:
        hard = _hard(target, target.flip(0), weight, margin, rare_classes)
        return mixed, hard, hard != IGNORED
    if classes is None:
        raise ValueError("classes is missing: symmetric mixup makes soft targets; say how many")
    counts = (target != IGNORED) & (target.flip(0) != IGNORED)
    own = one_hot(target, counts, classes)
    partner = one_hot(target.flip(0), counts, classes)
    weights = _broadcast(weight, own)
    return mixed, weights * own + (1 - weights) * partner, counts


def _hard(
    own: Tensor, partner: Tensor, weight: Tensor, margin: float, rare_classes: Sequence[int]
) -> Tensor:
    """The asymmetric target of labels (B, *spatial), those of the partner, and weights of own."""
    own_rare, partner_rare = is_rare(own, rare_classes), is_rare(partner, rare_classes)
    known = (own != IGNORED) & (partner != IGNORED)
    weights = _broadcast(weight, own)
    takes_own = own_rare & ~partner_rare & known & (weights > margin)
    takes_partner = ~own_rare & partner_rare & known & (1 - weights > margin)
    keeps = (own == partner) | takes_own
    ignored = torch.full_like(own, IGNORED)
    return own.where(keeps, partner.where(takes_partner, ignored))


def _broadcast(weight: Tensor, like: Tensor) -> Tensor:
    return weight.view(-1, *[1] * (like.ndim - 1))
