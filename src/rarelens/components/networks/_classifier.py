"""What all classification networks are: maps, their means, a linear head."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Classifier(nn.Module, ABC):
    """Feature maps, global average pooling and a linear head.

    So the logit of a class is the mean over the last maps of a weighted sum of them, which is what
    Grad-CAM shows.

    Args:
        units: channels of the last maps.
        classes: how many there are.

    Attributes:
        head: from features (B, units) to logits (B, classes).
    """

    def __init__(self, units: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(units, classes)

    @abstractmethod
    def maps(self, images: Tensor) -> Tensor:
        """The last feature maps (B, units, h, w) of images (B, channels, H, W)."""

    def features(self, images: Tensor) -> Tensor:
        """Their means (B, units)."""
        # Not by adaptive pooling, whose backward pass is not deterministic on a GPU.
        return self.maps(images).mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes)."""
        logits: Tensor = self.head(self.features(images))
        return logits


def out_of_place(network: nn.Module) -> nn.Module:
    """Let no ReLU overwrite its input, which may be a layer that is looked into."""
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return network
