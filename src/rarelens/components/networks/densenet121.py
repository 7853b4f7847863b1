"""MONAI's DenseNet-121 (Huang et al., CVPR 2017), whole or cut after one of its dense blocks."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any

from annotated_types import Ge, Le
from monai.networks.nets.densenet import DenseNet121 as MonaiDenseNet121
from torch import Tensor, nn

from rarelens.components.networks._classifier import Classifier, out_of_place
from rarelens.components.networks._weights import load_initial

__all__ = ["DenseNet121"]

BLOCKS = 4
# Torchvision has no ``layers`` between a dense layer and its parts.
_FLAT = re.compile(r"(denselayer\d+)\.(norm|conv)")


class DenseNet121(Classifier):
    """Stem, dense blocks with transitions between them, normalisation and ReLU.

    Cut after the second block it has 512 units at 1/8 of the resolution, which say better where
    something is than the 1024 units at 1/32 of the whole.

    Args:
        in_channels: image channels.
        out_channels: classes.
        blocks: dense blocks that are kept; 4 is the whole network.
        weights: a safetensors file of initial weights: of this network, MONAI's or torchvision's
            names; null draws them. Of a cut network, the whole one's weights may be given.

    Attributes:
        body: the layers by MONAI's names, as ``body.denseblock2``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        blocks: Annotated[int, Ge(1), Le(BLOCKS)] = BLOCKS,
        weights: str | None = None,
    ) -> None:
        whole = MonaiDenseNet121(spatial_dims=2, in_channels=in_channels, out_channels=1)
        body = _cut(out_of_place(whole.features), blocks)
        super().__init__(body.norm5.num_features, out_channels)
        self.body = body
        if weights is not None:
            load_initial(self, weights, partial(_own_names, blocks), "body.conv0.weight")

    def maps(self, images: Tensor) -> Tensor:
        """The last maps (B, units, h, w), after normalisation and ReLU."""
        result: Tensor = self.body(images)
        return result


def _cut(layers: nn.Module, blocks: int) -> Any:
    """The layers up to a dense block, with normalisation and ReLU."""
    body = nn.Sequential()
    for name, module in layers.named_children():
        if name == f"transition{blocks}":
            # Its normalisation stands where that of the whole network does.
            body.add_module("norm5", module.get_submodule("norm"))
            break
        body.add_module(name, module)
    body.add_module("relu5", nn.ReLU())
    return body


def _own_names(blocks: int, found: dict[str, Tensor]) -> dict[str, Tensor]:
    """What a file of this network's, MONAI's or torchvision's names holds, by this one's."""
    named = {_rename(key): value for key, value in found.items()}
    norm, last = f"body.transition{blocks}.norm.", "body.norm5."
    if any(key.startswith(norm) for key in named):  # The whole network's, and this is a cut one.
        named = {key: value for key, value in named.items() if not key.startswith(last)}
        named = {key.replace(norm, last): value for key, value in named.items()}
    beyond = [f"body.denseblock{number}." for number in range(blocks + 1, BLOCKS + 1)]
    beyond += [f"body.transition{number}." for number in range(blocks, BLOCKS)]
    return {key: value for key, value in named.items() if not key.startswith(tuple(beyond))}


def _rename(key: str) -> str:
    key = re.sub(r"^features\.", "body.", key)
    key = re.sub(r"^(classifier|class_layers\.out)\.", "head.", key)
    return _FLAT.sub(r"\1.layers.\2", key)
