"""MONAI's SegResNet (Myronenko, 2018), without the variational branch."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le, Len, Lt, MultipleOf
from monai.networks.nets import segresnet

__all__ = ["SegResNet"]

Blocks = Annotated[tuple[Annotated[int, Ge(1), Le(64)], ...], Len(2, 8)]


class SegResNet(segresnet.SegResNet):  # type: ignore[misc]
    """From images (B, in_channels, X, Y, Z) to logits (B, out_channels, X, Y, Z).

    The sizes must be divisible by ``2 ** (len(blocks_down) - 1)``.

    Args:
        in_channels: image channels.
        out_channels: classes.
        filters: features at full resolution, a multiple of 8 (group normalisation has 8 groups).
        blocks_down: residual blocks per resolution on the way down; one each on the way up.
        dropout: share of features dropped in training.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        filters: Annotated[int, Ge(8), Le(2**12), MultipleOf(8)] = 8,
        blocks_down: Blocks = (1, 1, 1),
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        super().__init__(
            spatial_dims=3,
            init_filters=filters,
            in_channels=in_channels,
            out_channels=out_channels,
            blocks_down=blocks_down,
            blocks_up=(1,) * (len(blocks_down) - 1),
            dropout_prob=dropout or None,
        )
