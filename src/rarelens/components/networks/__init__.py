"""Networks, one file each.

A network of volumes is a `rarelens.components.contracts.SegmentationNetwork`, one of images a
`ClassificationNetwork`. The classes are imported when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rarelens.components._lazy import exports

if TYPE_CHECKING:
    from rarelens.components.networks.deepmedic import DeepMedic
    from rarelens.components.networks.densenet121 import DenseNet121
    from rarelens.components.networks.light_cnn import LightCNN
    from rarelens.components.networks.resnet50 import ResNet50
    from rarelens.components.networks.segresnet import SegResNet
    from rarelens.components.networks.unet import UNet

__all__ = ["DeepMedic", "DenseNet121", "LightCNN", "ResNet50", "SegResNet", "UNet"]

__getattr__ = exports(__name__)
