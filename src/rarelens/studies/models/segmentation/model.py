"""A trained model on disk: weights as safetensors, and ``model.json``, which tells their use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
from annotated_types import Ge
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from rarelens.components.contracts import UnpaddedNetwork, is_classifier
from rarelens.errors import RarelensError
from rarelens.studies.models.storage import construct, load_weights, read_card, write_model
from rarelens.studies.settings.methods import Method, Network
from rarelens.studies.settings.segmentation.datasets import Preprocess


class ModelCard(BaseModel):
    """All that is needed to rebuild and apply a model, and what it was trained on.

    ``steps`` and ``gradient_evaluations`` are those taken; ``selected_step`` is the one whose
    weights were kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    rare_classes: tuple[int, ...]
    preprocess: Preprocess
    patch_size: tuple[int, int, int]
    network: Network
    method: Method
    fraction: str
    seed: Annotated[int, Ge(0)]
    training_cases: tuple[str, ...]
    validation_cases: tuple[str, ...]
    steps: int
    gradient_evaluations: int
    selected_step: int


def build_network(network: Network, channels: int, classes: int) -> nn.Module:
    """A new network with the layout of weights that is fastest for 3-D convolution on a CPU.

    Raises:
        RarelensError: if there is no such network, it does not take its options, or it is for
            classification.
    """
    module = construct(network, channels, classes)
    if is_classifier(module):
        raise RarelensError(
            f"networks: {network.network} gives no logits of voxels; choose a network for "
            "segmentation"
        )
    return module.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload,no-any-return]


def training_patch(
    network: nn.Module, patch_size: tuple[int, int, int]
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """The size of the logits of a training patch, and of the image that they are made from.

    A network without padding brings its own.
    """
    if not isinstance(network, UnpaddedNetwork):
        return patch_size, patch_size
    x, y, z = network.training_patch
    lost = 2 * network.context
    return (x, y, z), (x + lost, y + lost, z + lost)


def save_model(folder: Path, weights: dict[str, Tensor], card: ModelCard) -> None:
    """Write ``weights.safetensors`` and ``model.json`` into an existing folder."""
    write_model(folder, weights, card)


def load_card(folder: Path) -> ModelCard:
    """Read ``model.json``.

    Raises:
        RarelensError: if the folder holds no model, or its card is not readable.
    """
    return read_card(folder, ModelCard)


def load_model(folder: Path) -> tuple[nn.Module, ModelCard]:
    """Rebuild a trained network, in evaluation mode, on the GPU where there is one.

    Raises:
        RarelensError: if the folder holds no model, or its files are not readable or do not fit
            together.
    """
    card = load_card(folder)
    module = build_network(card.network, len(card.channels), len(card.classes))
    return load_weights(module, folder), card
