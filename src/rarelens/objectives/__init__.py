"""Segmentation objectives, one file each; usable alone in any PyTorch training code.

Every objective is a `torch.nn.Module` called with logits (B, C, *spatial) and a target: class
indices (B, *spatial), or soft one-hot (B, C, *spatial) in floating point. Logits of half precision
are computed in float32. ``ignore_index`` marks voxels of an index target that do not count.
``reduction`` of a voxel-wise loss is the mean over the voxels that count, their sum, or "none":
one value a voxel; of an overlap or distance loss, over what its docstring says.
``rare_classes=None`` is the symmetric form of a loss; a list makes it asymmetric.

The classes are imported when they are first asked for, so that one loss does not load them all
(nor MONAI). A class is found by its name: ``FocalMarginLoss`` is in ``focal_margin.py``.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rarelens.objectives.asymmetric_unified_focal import (
        AsymmetricUnifiedFocalLoss as AsymmetricUnifiedFocalLoss,
    )
    from rarelens.objectives.boundary import BoundaryLoss as BoundaryLoss
    from rarelens.objectives.compound import CompoundLoss as CompoundLoss
    from rarelens.objectives.cross_entropy import CrossEntropyLoss as CrossEntropyLoss
    from rarelens.objectives.dice import DiceLoss as DiceLoss
    from rarelens.objectives.dice_cross_entropy import DiceCrossEntropyLoss as DiceCrossEntropyLoss
    from rarelens.objectives.focal import FocalLoss as FocalLoss
    from rarelens.objectives.focal_dice import FocalDiceLoss as FocalDiceLoss
    from rarelens.objectives.focal_margin import FocalMarginLoss as FocalMarginLoss
    from rarelens.objectives.focal_tversky import FocalTverskyLoss as FocalTverskyLoss
    from rarelens.objectives.generalised_dice import GeneralisedDiceLoss as GeneralisedDiceLoss
    from rarelens.objectives.hausdorff import HausdorffLoss as HausdorffLoss
    from rarelens.objectives.large_margin import LargeMarginLoss as LargeMarginLoss
    from rarelens.objectives.ldam import LDAMLoss as LDAMLoss
    from rarelens.objectives.logit_adjusted import LogitAdjustedLoss as LogitAdjustedLoss
    from rarelens.objectives.topk_cross_entropy import TopKCrossEntropyLoss as TopKCrossEntropyLoss
    from rarelens.objectives.tversky import TverskyLoss as TverskyLoss
    from rarelens.objectives.vector_scaling import VectorScalingLoss as VectorScalingLoss
    from rarelens.objectives.weighted_cross_entropy import (
        WeightedCrossEntropyLoss as WeightedCrossEntropyLoss,
    )


def _files() -> list[str]:
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return [name for name in names if not name.startswith("_")]


def __getattr__(name: str) -> Any:
    """The class ``name``, from the file of that name in snake case, without "Loss"."""
    for file in _files():
        if name.lower() == f"{file.replace('_', '')}loss":
            module = import_module(f"{__name__}.{file}")
            if name == module.__all__[0]:
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
