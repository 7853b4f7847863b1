"""DeepMedic: parallel pathways at several resolutions, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Le, Len, Lt
from torch import Tensor, nn

__all__ = ["DeepMedic"]

Counts = Annotated[tuple[Annotated[int, Ge(1), Le(2**16)], ...], Len(1, 64)]
KERNEL = 3


class DeepMedic(nn.Module):
    """DeepMedic (Kamnitsas et al., Medical Image Analysis 2017).

    Each pathway is a row of 3³ convolutions without padding, so eight of them see 17³ voxels. The
    one at ÷f is fed the means of blocks of f³ voxels, and each voxel of its result is repeated to
    a block of the same f³ voxels: it sees (17·f)³, as 85³ at ÷5. Hidden layers of 1³ and the
    classifier join the pathways.

    The network takes an image with ``context`` more voxels on each side than it gives logits for:
    as many as the coarsest pathway sees beyond a voxel, and half a block more, for a size of the
    logits that is no multiple of f needs blocks that reach past it, the same on both sides.
    Nothing is padded. Blocks start at the corner of the logits where their size is a multiple of
    every f. So the logits of a voxel are the same in any tiling by such sizes (multiples of 15 for
    ÷3 and ÷5), and depend on the tiling otherwise.

    Args:
        in_channels: image channels.
        out_channels: classes.
        widths: features of the layers of every pathway.
        factors: one pathway at each of these resolutions; 1 is the full one.
        hidden: features of the hidden layers of 1³.
        residual: add to the result of every second layer from the fourth on what the layer before
            it was given (fewer features are filled up with 0).
        dropout: share of features dropped before the last hidden layer and the classifier.
        training_segment: side of what the full-resolution pathway is given in training; 37 voxels
            give logits of 21.
        inference_segment: the same in inference; 46 makes it independent of the tiling, 45 is the
            paper's.

    Attributes:
        context: voxels by which an image exceeds its logits on each side.
        training_patch: size of the logits in training.
        inference_patch: size of the logits of a tile in inference.

    Raises:
        ValueError: if a segment is too small for one voxel of logits.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Counts = (30, 30, 40, 40, 40, 40, 50, 50),
        factors: Counts = (1, 3, 5),
        hidden: Counts = (150, 150),
        residual: bool = False,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        training_segment: Annotated[int, Ge(1), Le(1024)] = 37,
        inference_segment: Annotated[int, Ge(1), Le(1024)] = 45,
    ) -> None:
        super().__init__()
        self.lost = len(widths) * (KERNEL // 2)
        if min(training_segment, inference_segment) <= 2 * self.lost:
            raise ValueError(
                f"a segment of {min(training_segment, inference_segment)} voxels is lost to "
                f"{len(widths)} layers without padding; give at least {2 * self.lost + 1}"
            )
        self.factors = tuple(factors)
        self.context = self.lost * max(factors) + max(factors) // 2
        self.training_patch = (training_segment - 2 * self.lost,) * 3
        self.inference_patch = (inference_segment - 2 * self.lost,) * 3
        self.pathways = nn.ModuleList(_Pathway(in_channels, widths, residual) for _ in factors)
        self.head = _head(widths[-1] * len(factors), hidden, out_channels, dropout)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, in_channels, X + 2·context, …) to logits (B, out_channels, X, …).

        Raises:
            ValueError: if an image has no voxel beyond its context.
        """
        sizes = [side - 2 * self.context for side in images.shape[2:]]
        if min(sizes) < 1:
            raise ValueError(
                f"an image of {tuple(images.shape[2:])} voxels is smaller than its context of "
                f"{self.context} on each side and one voxel"
            )
        features = [
            self._at_resolution(pathway, images, factor, sizes)
            for pathway, factor in zip(self.pathways, self.factors, strict=True)
        ]
        logits: Tensor = self.head(torch.cat(features, 1))
        return logits

    def _at_resolution(
        self, pathway: nn.Module, images: Tensor, factor: int, sizes: Sequence[int]
    ) -> Tensor:
        """The pathway's features at each voxel of the logits."""
        blocks = [-(-size // factor) for size in sizes]
        overhangs = [(n * factor - size) // 2 for n, size in zip(blocks, sizes, strict=True)]
        starts = [self.context - self.lost * factor - overhang for overhang in overhangs]
        spans = [(n + 2 * self.lost) * factor for n in blocks]
        coarse: Tensor = pathway(_block_means(_cut(images, starts, spans), factor))
        for axis in (2, 3, 4):
            coarse = coarse.repeat_interleave(factor, axis)
        return _cut(coarse, overhangs, sizes)


class _Pathway(nn.Module):
    """A row of 3³ convolutions without padding, optionally with residual connections."""

    def __init__(self, in_channels: int, widths: Sequence[int], residual: bool) -> None:
        super().__init__()
        inputs = (in_channels, *widths[:-1])
        self.layers = nn.ModuleList(
            _layer(a, b, KERNEL) for a, b in zip(inputs, widths, strict=True)
        )
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        before = x
        for number, layer in enumerate(self.layers, start=1):
            given, x = x, layer(x)
            if self.residual and number % 2 == 0 and number >= 4:
                x = x + _fitted(before, x)
            before = given
        return x


def _layer(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, kernel, bias=False), nn.BatchNorm3d(outputs), nn.ReLU()
    )


def _head(inputs: int, hidden: Sequence[int], outputs: int, dropout: float) -> nn.Sequential:
    """Hidden layers of 1³ and the classifier, with dropout before all but the first."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [_layer(inputs, width, 1), nn.Dropout(dropout)]
        inputs = width
    return nn.Sequential(*layers, nn.Conv3d(inputs, outputs, 1))


def _cut(x: Tensor, starts: Sequence[int], sizes: Sequence[int]) -> Tensor:
    """A box of (B, C, X, Y, Z)."""
    for axis, (start, size) in enumerate(zip(starts, sizes, strict=True), start=2):
        x = x.narrow(axis, start, size)
    return x


def _block_means(x: Tensor, factor: int) -> Tensor:
    """Means of blocks of factor³ voxels."""
    # By reshaping, for the backward pass of average pooling is not deterministic on a GPU.
    for axis in (2, 3, 4):
        x = x.reshape(*x.shape[:axis], -1, factor, *x.shape[axis + 1 :]).mean(axis + 1)
    return x


def _fitted(x: Tensor, like: Tensor) -> Tensor:
    """The middle of ``x`` in the size of ``like``, with as many features."""
    sizes = like.shape[2:]
    starts = [(a - b) // 2 for a, b in zip(x.shape[2:], sizes, strict=True)]
    x, missing = _cut(x, starts, sizes)[:, : like.shape[1]], like.shape[1] - x.shape[1]
    return torch.cat([x, x.new_zeros(len(x), missing, *sizes)], 1) if missing > 0 else x
