"""Activations of the named layers, written as they come out of the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rarelens.studies.extraction.arrays import ArrayWriter, half
from rarelens.studies.extraction.layers import recorded


def write_activations(
    network: nn.Module,
    batches: Iterable[NDArray[np.float32]],
    number: int,
    layers: Mapping[str, tuple[int, ...]],
    target: Path,
) -> dict[str, int]:
    """Write ``activations/<layer>.npy``: float16 (N, K, *grid), at the layer's own resolution.

    Memory holds one batch. Values beyond ±65504, the finite range of float16, are clipped to it.

    Args:
        network: in evaluation mode.
        batches: images or volumes (B, channels, …), in the order of the output.
        number: N, how many there are in all.
        layers: shapes (K, *grid) by name.
        target: the extracts' folder.

    Returns:
        How many values of each layer were clipped.
    """
    device = next(network.parameters()).device
    clipped = dict.fromkeys(layers, 0)
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        outputs = stack.enter_context(recorded(network, layers, half))
        files = {
            name: stack.enter_context(
                ArrayWriter(target / "activations" / f"{name}.npy", (number, *shape), np.float16)
            )
            for name, shape in layers.items()
        }
        for some in batches:
            network(torch.from_numpy(some).to(device))
            for name, file in files.items():
                values, beyond = outputs[name]
                file.append(values)
                clipped[name] += beyond
    return clipped
