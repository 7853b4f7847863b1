"""MONAI's ResNet-50 (He et al., CVPR 2016)."""

from __future__ import annotations

import re

from monai.networks.nets.resnet import ResNet, ResNetBottleneck
from torch import Tensor, nn

from rarelens.components.networks._classifier import Classifier, out_of_place
from rarelens.components.networks._weights import load_initial

__all__ = ["ResNet50"]

UNITS = 2048


class ResNet50(Classifier):
    """Stem and four stages of bottleneck blocks, as torchvision's: 2048 units at 1/32.

    Args:
        in_channels: image channels.
        out_channels: classes.
        weights: a safetensors file of initial weights: of this network, MONAI's or torchvision's
            names; null draws them.

    Attributes:
        body: the layers by their usual names, as ``body.layer3``.
    """

    def __init__(self, in_channels: int, out_channels: int, weights: str | None = None) -> None:
        super().__init__(UNITS, out_channels)
        whole = ResNet(
            ResNetBottleneck,
            layers=[3, 4, 6, 3],
            block_inplanes=[64, 128, 256, 512],
            spatial_dims=2,
            n_input_channels=in_channels,
            # As published and as torchvision has it; MONAI's own default keeps the resolution.
            conv1_t_stride=2,
            bias_downsample=False,
            feed_forward=False,
        )
        self.body = nn.Sequential()
        for name, module in out_of_place(whole).named_children():
            if name != "avgpool":
                self.body.add_module(name, module)
        if weights is not None:
            load_initial(self, weights, _own_names, "body.conv1.weight")

    def maps(self, images: Tensor) -> Tensor:
        """The last stage's maps (B, 2048, H / 32, W / 32)."""
        result: Tensor = self.body(images)
        return result


def _own_names(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """What a file of this network's, MONAI's or torchvision's names holds, by this one's."""
    named = {re.sub(r"^fc\.", "head.", key): value for key, value in found.items()}
    return {
        key if key.startswith(("head.", "body.")) else f"body.{key}": value
        for key, value in named.items()
    }
