"""What the wrappers of MONAI's overlap and distance losses share."""

from __future__ import annotations

from torch import Tensor, nn

from rarelens.components.objectives._voxels import Reduction, full_precision, shares_and_truth


def reduce_regions(losses: Tensor, reduction: Reduction) -> Tensor:
    """The mean of the losses of samples and classes, their sum, or themselves."""
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.mean()


class OverlapLoss(nn.Module):
    """A MONAI loss of probabilities and one-hot truth, both 0 at ignored voxels.

    Args:
        monai: the loss, without activation or reduction.
        batch: whether it sums over the batch.
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean", "sum" or "none".
        voxel_mean: whether it divides by the number of voxels, ignored ones with them; then it is
            scaled to the number that count.
    """

    def __init__(
        self,
        monai: nn.Module,
        batch: bool,
        ignore_index: int,
        reduction: Reduction,
        voxel_mean: bool = False,
    ) -> None:
        super().__init__()
        self.monai = monai
        self.batch = batch
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.voxel_mean = voxel_mean

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, C, *spatial), target (B, *spatial) or (B, C, *spatial), to the loss."""
        logits = full_precision(logits)
        predicted, truth, counts = shares_and_truth(logits, target, self.ignore_index)
        losses: Tensor = self.monai(predicted, truth)
        # MONAI keeps singleton dimensions for the voxels in some losses, and not in others.
        losses = losses.reshape(losses.shape[: 1 if self.batch else 2])
        if self.voxel_mean:
            per_sample = counts.flatten(1)
            losses = losses / per_sample.to(losses).mean(1, keepdim=True).clamp(
                min=1 / per_sample.shape[1]
            )
        return reduce_regions(losses, self.reduction)
