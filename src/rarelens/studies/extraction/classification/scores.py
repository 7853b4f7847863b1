"""Logits and labels of every image, and the spatial means of its unit activations."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rarelens.errors import RarelensError
from rarelens.studies.extraction.arrays import ArrayWriter, batches
from rarelens.studies.extraction.layers import recorded
from rarelens.studies.extraction.progress import told

if TYPE_CHECKING:
    from rarelens.studies.data.classification.prepared import PreparedImages

Shapes = dict[str, tuple[int, ...]]


def write_scores(
    network: nn.Module,
    data: PreparedImages,
    side: list[str],
    units: Shapes,
    target: Path,
    batch_size: int,
) -> pd.DataFrame:
    """Write ``scores.parquet`` and ``features/<layer>.npy`` in one pass over all images.

    Args:
        network: in evaluation mode.
        data: the prepared images.
        side: of each row of its table.
        units: shapes (K, h, w) of the layers to take means of.
        target: the extracts' folder.
        batch_size: images computed at once.

    Returns:
        The scores: image, group, side, row, ``logit_<c>``, ``label_<c>``, in order of the table.

    Raises:
        RarelensError: if a logit is not finite.
    """
    rows = data.table["row"].to_numpy(np.int64)
    logits = _pass(network, data, units, target, batch_size)
    broken = np.flatnonzero(~np.isfinite(logits).all(1))
    if len(broken):
        raise RarelensError(
            f"{data.name}: {data.table.index[broken[0]]}: the model's logits are not finite (so of "
            f"{len(broken)} images in all); train it anew, with a lower learning rate"
        )
    labels = data.labels(rows)
    columns = {"image": data.table.index, "group": data.table["group"].to_numpy(), "side": side}
    columns |= {"row": rows}
    columns |= {f"logit_{c}": logits[:, c] for c in range(logits.shape[1])}
    columns |= {f"label_{c}": labels[:, c] for c in range(labels.shape[1])}
    scores = pd.DataFrame(columns)
    scores.to_parquet(target / "scores.parquet", index=False)
    return scores


def _pass(
    network: nn.Module, data: PreparedImages, units: Shapes, target: Path, batch_size: int
) -> NDArray[np.float32]:
    """Logits (N, C) in order of the table; the means go to their files."""
    rows = data.table["row"].to_numpy(np.int64)
    device = next(network.parameters()).device
    logits = np.zeros((len(rows), len(data.classes)), np.float32)
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        means = stack.enter_context(recorded(network, units, _spatial_mean))
        files = {
            name: stack.enter_context(
                ArrayWriter(target / "features" / f"{name}.npy", (len(rows), shape[0]), np.float32)
            )
            for name, shape in units.items()
        }
        for some in told(list(batches(np.arange(len(rows)), batch_size)), "extract: batches"):
            images = torch.from_numpy(data.images(rows[some])).to(device)
            logits[some] = network(images).float().cpu().numpy()
            for name, file in files.items():
                file.append(means[name].cpu().numpy())
    return logits


def _spatial_mean(output: Tensor) -> Tensor:
    """(B, K, h, w) to (B, K)."""
    return output.float().mean((2, 3))
