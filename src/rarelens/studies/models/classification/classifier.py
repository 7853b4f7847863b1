"""A trained classifier on disk: weights as safetensors, and ``model.json``, which tells its use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
from annotated_types import Ge
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from rarelens.components.contracts import is_classifier
from rarelens.errors import RarelensError
from rarelens.studies.models.storage import construct, load_weights, read_card, write_model
from rarelens.studies.settings.classification.datasets import ImagePreprocess
from rarelens.studies.settings.methods import Adjustment, ClassificationMethod, Network

INITIAL_WEIGHTS = "weights"


class ClassifierCard(BaseModel):
    """All that is needed to rebuild and apply a classifier, and what it was trained on.

    ``mean`` and ``std`` are those of the channels of images in [0, 1], by which they are
    normalised. ``adjustment``: how the head was trained anew, or None. ``steps`` are those taken;
    ``selected_step`` is the one whose weights were kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    classes: tuple[str, ...]
    channels: int
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    preprocess: ImagePreprocess
    network: Network
    method: ClassificationMethod
    adjustment: Adjustment | None
    fraction: str
    seed: Annotated[int, Ge(0)]
    training_images: tuple[str, ...]
    validation_images: tuple[str, ...]
    steps: int
    selected_step: int


def build_classifier(network: Network, channels: int, classes: int) -> nn.Module:
    """A new network with the layout of weights that is fastest for 2-D convolution on a CPU.

    It maps images (B, channels, H, W) to logits (B, classes), and is made of ``features(images)``,
    (B, D), and ``head``, a linear layer.

    Raises:
        RarelensError: if there is no such network, it does not take its options, or it is not for
            classification.
    """
    module = construct(network, channels, classes)
    if not is_classifier(module):
        raise RarelensError(
            f"networks: {network.network} gives no logits of whole images; choose a network for "
            "classification"
        )
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def save_classifier(folder: Path, weights: dict[str, Tensor], card: ClassifierCard) -> None:
    """Write ``weights.safetensors`` and ``model.json`` into an existing folder."""
    write_model(folder, weights, card)


def load_classifier(folder: Path) -> tuple[nn.Module, ClassifierCard]:
    """Rebuild a trained classifier, in evaluation mode, on the GPU where there is one.

    Raises:
        RarelensError: if the folder holds no model, or its files are not readable or do not fit
            together.
    """
    card = read_card(folder, ClassifierCard)
    # The initial weights are all replaced, and their file need not be there any more.
    settings = card.network.model_dump(exclude={INITIAL_WEIGHTS})
    module = build_classifier(Network(**settings), card.channels, len(card.classes))
    return load_weights(module, folder), card
