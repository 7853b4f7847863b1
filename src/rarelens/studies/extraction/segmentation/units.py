"""Units of a segmentation network beside rare-class regions, in the form of a classifier's."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from rarelens.studies.data.segmentation.patches import PatchSampler
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.extraction.arrays import ArrayWriter, half
from rarelens.studies.extraction.layers import check_covering, check_layers, recorded
from rarelens.studies.files import write_json

FOREGROUND_SHARE = 0.5
"""Half of the tiles lie on a structure, half anywhere: a unit must also be quiet elsewhere."""


def extract_units(
    network: nn.Module,
    data: PreparedDataset,
    cases: Sequence[str],
    rare_classes: Sequence[int],
    layers: Sequence[str],
    target: Path,
    patch_size: tuple[int, int, int],
    patches: int,
    seed: int,
) -> None:
    """Write activations of ``layers`` on tiles of ``cases``, and where the rare classes are.

    Half of the tiles, on average, are centred on a foreground voxel, its class drawn evenly among
    those of the case; the others lie anywhere. They depend on the data, the cases and the seed,
    so that all models are asked about the same ones. Memory holds one tile.

    Writes ``activations/<layer>.npy`` (float16 (P, K, x, y, z), at the layer's own resolution,
    clipped to ±65504), ``masks.npy`` (bool (P, R, X, Y, Z), one channel per rare class),
    ``tiles.parquet`` (tile, case, centre: the class it is centred on, or −1) and ``units.json``.

    Args:
        network: in evaluation mode, of volumes (B, channels, X, Y, Z).
        data: the prepared dataset.
        cases: to take tiles of, each equally likely.
        rare_classes: the R concepts.
        layers: dotted names of modules.
        target: an existing folder.
        patch_size: X, Y, Z of a tile.
        patches: P, how many tiles.
        seed: of the draw.

    Raises:
        RarelensError: if there are no such layers, or the network sees more than it labels, so
            that its layers do not cover the tile that they are to be compared with.
    """
    check_covering(network)
    shapes = check_layers(network, layers, len(data.channels), patch_size)
    sampler = PatchSampler(data, cases, patch_size, 1, FOREGROUND_SHARE, seed)
    device = next(network.parameters()).device
    rare = np.array(rare_classes).reshape(-1, 1, 1, 1)
    clipped, tiles = dict.fromkeys(shapes, 0), []
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        outputs = stack.enter_context(recorded(network, shapes, half))
        files = {
            name: ArrayWriter(target / "activations" / f"{name}.npy", (patches, *shape), np.float16)
            for name, shape in shapes.items()
        }
        masks = ArrayWriter(target / "masks.npy", (patches, len(rare), *patch_size), np.bool_)
        for file in (masks, *files.values()):
            stack.enter_context(file)
        for tile in range(patches):
            batch = sampler.batch(tile)
            network(torch.from_numpy(batch.images).to(device))
            for name, file in files.items():
                values, beyond = outputs[name]
                file.append(values)
                clipped[name] += beyond
            masks.append(batch.labels[:, None] == rare)
            tiles.append({"tile": tile, "case": batch.cases[0], "centre": int(batch.centres[0])})
    pd.DataFrame(tiles).to_parquet(target / "tiles.parquet", index=False)
    facts = {"layers": list(shapes), "classes": list(rare_classes), "size": list(patch_size)}
    write_json(target / "units.json", facts | {"clipped_activations": clipped})
