"""Segmentation regularisers, one file each; usable alone in any PyTorch training code.

`adversarial_example`, `mixup` and `augment` are plain functions. Beside its function each file
has the class that the training finds by the name of the file; its arguments, but for
``rare_classes`` and ``classes``, are the options in ``params.yaml``. ``rare_classes=None`` is the
symmetric form. A class has ``gradient_evaluations``, how many a step costs beyond the clean one,
and one of two methods:

``prepare(images, labels, centres, rng) -> images, labels``
    changes a batch before anything else sees it: images (B, channels, *patch) float32, labels
    (B, *patch) int64, centres (B,) the class that a patch is centred on, or −1 for a patch placed
    anywhere; all NumPy.
``extra(model, images, labels, base_loss, rng) -> images, target``
    the inputs of one more pass, whose loss the training adds to the clean one; all tensors. The
    target marks voxels that do not count by −100, or is soft one-hot. Labels may be smaller than
    images, for a network that loses voxels at the border.

``rng`` is a `numpy.random.Generator` that the training seeds anew at each step.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rarelens.components.regularisers.adversarial import Adversarial, adversarial_example
    from rarelens.components.regularisers.augmentation import Augmentation, Strength, augment
    from rarelens.components.regularisers.mixup import Mixup, mixup

__all__ = [
    "Adversarial",
    "Augmentation",
    "Mixup",
    "Strength",
    "adversarial_example",
    "augment",
    "mixup",
]

_FILES = {
    "Adversarial": "adversarial",
    "Augmentation": "augmentation",
    "Mixup": "mixup",
    "Strength": "augmentation",
    "adversarial_example": "adversarial",
    "augment": "augmentation",
    "mixup": "mixup",
}


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FILES[name]}"), name)


class _Package(ModuleType):
    """Keeps ``mixup`` the function: Python would put the file of that name in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, getattr(value, name, value))


sys.modules[__name__].__class__ = _Package
