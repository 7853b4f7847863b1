"""MONAI's strided U-Net, light enough for a CPU."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le, Len, Lt
from monai.networks.nets import unet

__all__ = ["UNet"]


class UNet(unet.UNet):  # type: ignore[misc]
    """From images (B, in_channels, X, Y, Z) to logits (B, out_channels, X, Y, Z).

    The sizes must be divisible by ``2 ** (len(channels) - 1)``.

    Args:
        in_channels: image channels.
        out_channels: classes.
        channels: features per resolution; each further one halves the resolution.
        residual_units: convolutions per residual block; 0 for plain convolutions.
        norm: normalisation layer.
        dropout: share of features dropped in training.

    Examples:
        >>> import torch
        >>> UNet(in_channels=1, out_channels=2, channels=(4, 8))(torch.zeros(1, 1, 8, 8, 8)).shape
        torch.Size([1, 2, 8, 8, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: Annotated[tuple[Annotated[int, Ge(1), Le(2**16)], ...], Len(2, 8)] = (
            16,
            32,
            64,
            64,
        ),
        residual_units: Annotated[int, Ge(0), Le(64)] = 0,
        norm: Literal["batch", "instance"] = "batch",
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        super().__init__(
            spatial_dims=3,
            in_channels=in_channels,
            out_channels=out_channels,
            channels=channels,
            strides=[2] * (len(channels) - 1),
            num_res_units=residual_units,
            norm=norm,
            dropout=dropout,
        )
