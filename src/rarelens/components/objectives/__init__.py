"""Objectives, one file each; usable alone in any PyTorch training code.

A segmentation objective is a `torch.nn.Module` called with logits (B, C, *spatial) and a target:
class indices (B, *spatial), or soft one-hot (B, C, *spatial) in floating point. ``ignore_index``
marks voxels of an index target that do not count. ``reduction`` of a voxel-wise loss is the mean
over the voxels that count, their sum, or "none": one value a voxel; of an overlap or distance
loss, over what its docstring says. ``rare_classes=None`` is the symmetric form of a loss; a list
makes it asymmetric.

A classification objective is a `LabelLoss`, called with logits (B, C) and targets (B, C): several
labels an image, each 1, 0 or NaN, which does not count. ``reduction`` is the mean over the labels
that count, their sum, or "none": one value a label. Counts of labels are those of the training
subset. An objective may have a method ``progress(share)``, which the training calls before each
step with the share of its steps that are done; what it changes depends on nothing but the share.
Parameters of an objective are optimised with the network's.

Logits of half precision are computed in float32. The classes are imported when they are first
asked for, so that one loss does not load them all (nor MONAI). A class is found by its name:
``FocalMarginLoss`` is in ``focal_margin.py``.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rarelens.components.objectives._labels import LabelLoss as LabelLoss
    from rarelens.components.objectives.asymmetric import AsymmetricLoss as AsymmetricLoss
    from rarelens.components.objectives.asymmetric_unified_focal import (
        AsymmetricUnifiedFocalLoss as AsymmetricUnifiedFocalLoss,
    )
    from rarelens.components.objectives.bce import BinaryCrossEntropyLoss as BinaryCrossEntropyLoss
    from rarelens.components.objectives.boundary import BoundaryLoss as BoundaryLoss
    from rarelens.components.objectives.class_balanced_focal import (
        ClassBalancedFocalLoss as ClassBalancedFocalLoss,
    )
    from rarelens.components.objectives.compound import CompoundLoss as CompoundLoss
    from rarelens.components.objectives.cross_entropy import CrossEntropyLoss as CrossEntropyLoss
    from rarelens.components.objectives.dice import DiceLoss as DiceLoss
    from rarelens.components.objectives.dice_cross_entropy import (
        DiceCrossEntropyLoss as DiceCrossEntropyLoss,
    )
    from rarelens.components.objectives.distribution_balanced import (
        DistributionBalancedLoss as DistributionBalancedLoss,
    )
    from rarelens.components.objectives.focal import FocalLoss as FocalLoss
    from rarelens.components.objectives.focal_dice import FocalDiceLoss as FocalDiceLoss
    from rarelens.components.objectives.focal_margin import FocalMarginLoss as FocalMarginLoss
    from rarelens.components.objectives.focal_tversky import FocalTverskyLoss as FocalTverskyLoss
    from rarelens.components.objectives.generalised_dice import (
        GeneralisedDiceLoss as GeneralisedDiceLoss,
    )
    from rarelens.components.objectives.hausdorff import HausdorffLoss as HausdorffLoss
    from rarelens.components.objectives.inter_class_weighted_bce import (
        InterClassWeightedBCELoss as InterClassWeightedBCELoss,
    )
    from rarelens.components.objectives.large_margin import LargeMarginLoss as LargeMarginLoss
    from rarelens.components.objectives.ldam import LDAMLoss as LDAMLoss
    from rarelens.components.objectives.logit_adjusted import LogitAdjustedLoss as LogitAdjustedLoss
    from rarelens.components.objectives.multi_task import MultiTaskLoss as MultiTaskLoss
    from rarelens.components.objectives.sigmoid_focal import SigmoidFocalLoss as SigmoidFocalLoss
    from rarelens.components.objectives.sigmoid_ldam import SigmoidLDAMLoss as SigmoidLDAMLoss
    from rarelens.components.objectives.sigmoid_logit_adjusted import (
        SigmoidLogitAdjustedLoss as SigmoidLogitAdjustedLoss,
    )
    from rarelens.components.objectives.topk_cross_entropy import (
        TopKCrossEntropyLoss as TopKCrossEntropyLoss,
    )
    from rarelens.components.objectives.tversky import TverskyLoss as TverskyLoss
    from rarelens.components.objectives.vector_scaling import VectorScalingLoss as VectorScalingLoss
    from rarelens.components.objectives.weighted_bce import WeightedBCELoss as WeightedBCELoss
    from rarelens.components.objectives.weighted_cross_entropy import (
        WeightedCrossEntropyLoss as WeightedCrossEntropyLoss,
    )

# Files that are not named as their class.
_NAMES = {"_labels": "label", "bce": "binary_cross_entropy"}


def _files() -> list[str]:
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return [name for name in names if name in _NAMES or not name.startswith("_")]


def __getattr__(name: str) -> Any:
    """The class ``name``, from the file of that name in snake case, without "Loss"."""
    for file in _files():
        if name.lower() == f"{_NAMES.get(file, file).replace('_', '')}loss":
            module = import_module(f"{__name__}.{file}")
            if name == module.__all__[0]:
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
