"""Boundary loss."""

from __future__ import annotations

from monai.losses import boundary_loss

from rarelens.components.objectives._overlap import OverlapLoss
from rarelens.components.objectives._voxels import Reduction

__all__ = ["BoundaryLoss"]


class BoundaryLoss(OverlapLoss):
    """MONAI's boundary loss of the foreground classes (Kervadec et al., MIDL 2019).

    The mean over voxels of the probability times the signed distance, in voxels, to the true
    boundary. A class without voxels has no boundary and adds nothing, so this is a term for a
    compound with an overlap loss. Ignored voxels do not count, and are outside every class where
    distances are measured.

    Args:
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over samples and foreground classes, "sum", or "none": one value for
            each sample and foreground class.
    """

    def __init__(self, ignore_index: int = -100, reduction: Reduction = "mean") -> None:
        loss = boundary_loss.BoundaryLoss(include_background=False, reduction="none")
        super().__init__(loss, False, ignore_index, reduction, voxel_mean=True)
