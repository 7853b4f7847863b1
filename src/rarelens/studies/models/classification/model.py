"""A trained classifier: its card, and how it is rebuilt."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from pydantic import model_validator
from torch import Tensor, nn

from rarelens.components.contracts import is_classifier
from rarelens.errors import RarelensError
from rarelens.studies.models.storage import (
    INITIAL_WEIGHTS,
    Card,
    construct,
    load_network,
    read_card,
)
from rarelens.studies.settings.classification.datasets import ImagePreprocess, ImageSize
from rarelens.studies.settings.methods import Adjustment, ClassificationMethod, Network


class ClassifierCard(Card):
    """All that is needed to rebuild and apply a classifier, and what it was trained on.

    ``mean`` and ``std`` are those of the channels of images in [0, 1], by which they are
    normalised. ``adjustment``: how the head was trained anew, or None.
    """

    channels: int
    size: ImageSize
    mean: tuple[float, ...]
    std: tuple[float, ...]
    preprocess: ImagePreprocess
    method: ClassificationMethod
    adjustment: Adjustment | None
    training_images: tuple[str, ...]
    validation_images: tuple[str, ...]

    @model_validator(mode="after")
    def _check(self) -> ClassifierCard:
        if self.channels not in (1, 3):
            raise ValueError(f"{self.channels} channels; there are images of 1 and 3")
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"mean and std are not of {self.channels} channels")
        if not (all(map(math.isfinite, self.mean)) and all(0 < std < math.inf for std in self.std)):
            raise ValueError("mean or std are no such numbers")
        return self


def build_classifier(
    network: Network, channels: int, classes: int, path: str = "networks"
) -> nn.Module:
    """A new network with the layout of weights that is fastest for 2-D convolution on a CPU.

    It maps images (B, channels, H, W) to logits (B, classes), and is made of ``features(images)``,
    (B, D), and ``head``, a linear layer. ``path``: where its parameters stand, for the message.

    Raises:
        RarelensError: if there is no such network, it does not take its options, or it is not for
            classification.
    """
    module = construct(network, channels, classes, path)
    if not is_classifier(module):
        raise RarelensError(
            f"networks: {network.network} gives no logits of whole images; choose a network for "
            "classification"
        )
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def features_of(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """What the head of a classifier is given: (B, D) of images."""
    function: Callable[[Tensor], Tensor] = network.features  # type: ignore[assignment]
    return function


def load_classifier(folder: Path) -> tuple[nn.Module, ClassifierCard]:
    """Rebuild a trained classifier, in evaluation mode, on the GPU where there is one.

    Raises:
        RarelensError: if the folder holds no model, or its files are not readable or do not fit
            together.
    """
    card = read_card(folder, ClassifierCard)
    # The initial weights are all replaced, and their file need not be there any more.
    settings = Network(**card.network.model_dump(exclude={INITIAL_WEIGHTS}))
    make = partial(build_classifier, settings, card.channels, len(card.classes))
    return load_network(folder, card, make), card
