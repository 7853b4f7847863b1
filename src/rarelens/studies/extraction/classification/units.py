"""Activations of the named layers on the probe set."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rarelens.studies.extraction.arrays import ArrayWriter, batches, half
from rarelens.studies.extraction.layers import recorded

if TYPE_CHECKING:
    from rarelens.studies.data.classification.prepared import PreparedImages


def write_activations(
    network: nn.Module,
    data: PreparedImages,
    rows: NDArray[np.int64],
    units: dict[str, tuple[int, ...]],
    target: Path,
    batch_size: int,
) -> dict[str, int]:
    """Write ``activations/<layer>.npy``: float16 (P, K, h, w) of the images at ``rows``.

    Memory holds one batch. Values beyond ±65504, the finite range of float16, are clipped to it.

    Args:
        network: in evaluation mode.
        data: the prepared images.
        rows: of the P images, in the order of the output.
        units: shapes (K, h, w) of the layers.
        target: the extracts' folder.
        batch_size: images computed at once.

    Returns:
        How many values of each layer were clipped.
    """
    device = next(network.parameters()).device
    clipped = dict.fromkeys(units, 0)
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        outputs = stack.enter_context(recorded(network, units, half))
        files = {
            name: stack.enter_context(
                ArrayWriter(target / "activations" / f"{name}.npy", (len(rows), *shape), np.float16)
            )
            for name, shape in units.items()
        }
        for some in batches(rows, batch_size):
            network(torch.from_numpy(data.images(some)).to(device))
            for name, file in files.items():
                values, beyond = outputs[name]
                file.append(values)
                clipped[name] += beyond
    return clipped
