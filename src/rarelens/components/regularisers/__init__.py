"""Segmentation regularisers, one file each; usable alone in any PyTorch training code.

`adversarial_example`, `augment` and `mix_patches` are plain functions. Beside its function each
file has the class that the training finds by the name of the file, a
`rarelens.components.contracts.Regulariser`. ``rare_classes=None`` is the symmetric form. The names
are imported when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rarelens.components._lazy import exports

if TYPE_CHECKING:
    from rarelens.components.regularisers.adversarial import Adversarial, adversarial_example
    from rarelens.components.regularisers.augmentation import Augmentation, Strength, augment
    from rarelens.components.regularisers.mixup import Mixup, mix_patches

__all__ = [
    "Adversarial",
    "Augmentation",
    "Mixup",
    "Strength",
    "adversarial_example",
    "augment",
    "mix_patches",
]

_FILES = {"Strength": "augmentation", "augment": "augmentation", "mix_patches": "mixup"}

__getattr__ = exports(__name__, _FILES | {"adversarial_example": "adversarial"})
