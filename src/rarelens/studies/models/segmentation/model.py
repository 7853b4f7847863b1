"""A trained segmentation network: its card, and what is asked of the network beside its logits."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import nn

from rarelens.components.contracts import UnpaddedNetwork, is_classifier
from rarelens.errors import RarelensError
from rarelens.studies.models.storage import Card, construct, load_network, read_card
from rarelens.studies.settings.methods import Method, Network
from rarelens.studies.settings.segmentation.datasets import PatchSize, Preprocess

Size = tuple[int, int, int]
OVERLAP, WINDOW_BATCH = 0.25, 4
"""Share of a window that the next one covers again, and windows at once, unless one says."""


class SegmenterCard(Card):
    """All that is needed to rebuild and apply a network, and what it was trained on.

    ``gradient_evaluations`` are those taken.
    """

    channels: tuple[str, ...]
    rare_classes: tuple[int, ...]
    preprocess: Preprocess
    patch_size: PatchSize
    method: Method
    training_cases: tuple[str, ...]
    validation_cases: tuple[str, ...]
    gradient_evaluations: int


def build_segmenter(
    network: Network, channels: int, classes: int, path: str = "networks"
) -> nn.Module:
    """A new network with the layout of weights that is fastest for 3-D convolution on a CPU.

    ``path``: where its parameters stand, for the message.

    Raises:
        RarelensError: if there is no such network, it does not take its options, or it is for
            classification.
    """
    module = construct(network, channels, classes, path)
    if is_classifier(module):
        raise RarelensError(
            f"networks: {network.network} gives no logits of voxels; choose a network for "
            "segmentation"
        )
    return module.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload,no-any-return]


def context(network: nn.Module) -> int:
    """Voxels on each side of an image that the network gives no logits for; 0 if it pads."""
    return network.context if isinstance(network, UnpaddedNetwork) else 0


def training_patch(network: nn.Module, patch_size: Size) -> tuple[Size, Size]:
    """The size of the logits of a training patch, and of the image that they are made from.

    A network without padding brings its own.
    """
    x, y, z = network.training_patch if isinstance(network, UnpaddedNetwork) else patch_size
    lost = 2 * context(network)
    return (x, y, z), (x + lost, y + lost, z + lost)


def load_segmenter(folder: Path) -> tuple[nn.Module, SegmenterCard]:
    """Rebuild a trained network, in evaluation mode, on the GPU where there is one.

    Raises:
        RarelensError: if the folder holds no model, or its files are not readable or do not fit
            together.
    """
    card = read_card(folder, SegmenterCard)
    make = partial(build_segmenter, card.network, len(card.channels), len(card.classes))
    return load_network(folder, card, make), card
