"""A plain convolutional network, light enough for a CPU."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le, Len, MultipleOf
from torch import Tensor, nn

from rarelens.components.networks._classifier import Classifier

__all__ = ["LightCNN"]

Four = Len(4, 4)
GROUP = 8


class LightCNN(Classifier):
    """Four stages of 3² convolutions, each with normalisation and ReLU.

    The first keeps the resolution, so that findings of a few pixels are seen; each other begins by
    halving it, down to 1/8, where maps still say where something is. Each channel of a stage is
    non-negative.

    Args:
        in_channels: image channels.
        out_channels: classes.
        channels: features of the stages, multiples of 8.
        convolutions: how many there are in each stage.
        norm: normalisation layer; "group" has groups of 8 channels.

    Attributes:
        stage1, stage2, stage3, stage4: the stages, (B, channels, H, W), (B, channels, H / 2,
            W / 2) and so on, rounded up.

    Examples:
        >>> import torch
        >>> network = LightCNN(in_channels=1, out_channels=3, channels=(8, 8, 8, 16))
        >>> network(torch.zeros(2, 1, 20, 30)).shape, network.maps(torch.zeros(2, 1, 20, 30)).shape
        (torch.Size([2, 3]), torch.Size([2, 16, 3, 4]))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: Annotated[
            tuple[Annotated[int, Ge(GROUP), Le(2**16), MultipleOf(GROUP)], ...], Four
        ] = (
            16,
            32,
            64,
            96,
        ),
        convolutions: Annotated[tuple[Annotated[int, Ge(1), Le(64)], ...], Four] = (1, 1, 2, 2),
        norm: Literal["batch", "group"] = "batch",
    ) -> None:
        super().__init__(channels[-1], out_channels)
        inputs = (in_channels, *channels[:-1])
        stages = zip(inputs, channels, convolutions, (1, 2, 2, 2), strict=True)
        self.stage1, self.stage2, self.stage3, self.stage4 = (
            _stage(before, after, number, stride, norm) for before, after, number, stride in stages
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def maps(self, images: Tensor) -> Tensor:
        """The last stage's maps (B, units, H / 8, W / 8)."""
        result: Tensor = self.stage4(self.stage3(self.stage2(self.stage1(images))))
        return result


def _stage(inputs: int, outputs: int, number: int, stride: int, norm: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(number):
        normalisation = (
            nn.BatchNorm2d(outputs) if norm == "batch" else nn.GroupNorm(outputs // GROUP, outputs)
        )
        convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        layers += [convolution, normalisation, nn.ReLU()]
        inputs, stride = outputs, 1
    return nn.Sequential(*layers)
