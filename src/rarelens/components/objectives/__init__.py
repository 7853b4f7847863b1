"""Objectives, one file each; usable alone in any PyTorch training code.

A segmentation objective (`rarelens.components.contracts.Objective`) is called with logits
(B, C, *spatial) and a target: class indices (B, *spatial), or soft one-hot (B, C, *spatial) in
floating point. ``ignore_index`` marks voxels of an index target that do not count. ``reduction``
of a voxel-wise loss is the mean over the voxels that count, their sum, or "none": one value a
voxel; of an overlap or distance loss, over what its docstring says. ``rare_classes=None`` is the
symmetric form of a loss; a list makes it asymmetric.

A classification objective (`LabelLoss`) is called with logits (B, C) and targets (B, C): several
labels an image, each 1, 0 or NaN, which does not count. ``reduction`` is the mean over the labels
that count, their sum, or "none": one value a label. Counts of labels are those of the training
subset.

The classes are imported when they are first asked for, so that one loss does not load them all
(nor MONAI).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rarelens.components._lazy import exports

if TYPE_CHECKING:
    from rarelens.components.objectives._labels import LabelLoss
    from rarelens.components.objectives.asymmetric_multi_label import AsymmetricMultiLabelLoss
    from rarelens.components.objectives.asymmetric_unified_focal import AsymmetricUnifiedFocalLoss
    from rarelens.components.objectives.bce import BinaryCrossEntropyLoss
    from rarelens.components.objectives.boundary import BoundaryLoss
    from rarelens.components.objectives.class_balanced_focal import ClassBalancedFocalLoss
    from rarelens.components.objectives.compound import CompoundLoss
    from rarelens.components.objectives.cross_entropy import CrossEntropyLoss
    from rarelens.components.objectives.dice import DiceLoss
    from rarelens.components.objectives.dice_cross_entropy import DiceCrossEntropyLoss
    from rarelens.components.objectives.distribution_balanced import DistributionBalancedLoss
    from rarelens.components.objectives.focal import FocalLoss
    from rarelens.components.objectives.focal_dice import FocalDiceLoss
    from rarelens.components.objectives.focal_margin import FocalMarginLoss
    from rarelens.components.objectives.focal_tversky import FocalTverskyLoss
    from rarelens.components.objectives.generalised_dice import GeneralisedDiceLoss
    from rarelens.components.objectives.hausdorff import HausdorffLoss
    from rarelens.components.objectives.inter_class_weighted_bce import InterClassWeightedBCELoss
    from rarelens.components.objectives.large_margin import LargeMarginLoss
    from rarelens.components.objectives.ldam import LDAMLoss
    from rarelens.components.objectives.logit_adjusted import LogitAdjustedLoss
    from rarelens.components.objectives.multi_task import MultiTaskLoss
    from rarelens.components.objectives.sigmoid_focal import SigmoidFocalLoss
    from rarelens.components.objectives.sigmoid_ldam import SigmoidLDAMLoss
    from rarelens.components.objectives.sigmoid_logit_adjusted import SigmoidLogitAdjustedLoss
    from rarelens.components.objectives.topk_cross_entropy import TopKCrossEntropyLoss
    from rarelens.components.objectives.tversky import TverskyLoss
    from rarelens.components.objectives.vector_scaling import VectorScalingLoss
    from rarelens.components.objectives.weighted_bce import WeightedBCELoss
    from rarelens.components.objectives.weighted_cross_entropy import WeightedCrossEntropyLoss

__all__ = [
    "AsymmetricMultiLabelLoss",
    "AsymmetricUnifiedFocalLoss",
    "BinaryCrossEntropyLoss",
    "BoundaryLoss",
    "ClassBalancedFocalLoss",
    "CompoundLoss",
    "CrossEntropyLoss",
    "DiceCrossEntropyLoss",
    "DiceLoss",
    "DistributionBalancedLoss",
    "FocalDiceLoss",
    "FocalLoss",
    "FocalMarginLoss",
    "FocalTverskyLoss",
    "GeneralisedDiceLoss",
    "HausdorffLoss",
    "InterClassWeightedBCELoss",
    "LDAMLoss",
    "LabelLoss",
    "LargeMarginLoss",
    "LogitAdjustedLoss",
    "MultiTaskLoss",
    "SigmoidFocalLoss",
    "SigmoidLDAMLoss",
    "SigmoidLogitAdjustedLoss",
    "TopKCrossEntropyLoss",
    "TverskyLoss",
    "VectorScalingLoss",
    "WeightedBCELoss",
    "WeightedCrossEntropyLoss",
]

__getattr__ = exports(__name__, {"LabelLoss": "_labels", "BinaryCrossEntropyLoss": "bce"})
