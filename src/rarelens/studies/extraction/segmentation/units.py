"""Units of a segmentation network beside rare-class regions, in the form of a classifier's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from rarelens.components.contracts import UnpaddedNetwork
from rarelens.errors import RarelensError
from rarelens.studies.data.segmentation.patches import PatchSampler
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.extraction.activations import write_activations
from rarelens.studies.extraction.arrays import ArrayWriter
from rarelens.studies.extraction.layers import check_layers
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
    ``tiles.parquet`` (tile, case, its group, centre: the class it is centred on,
    or −1) and ``units.json``.

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
    rare = np.array(rare_classes).reshape(-1, 1, 1, 1)
    tiles: list[dict[str, Any]] = []
    with ArrayWriter(target / "masks.npy", (patches, len(rare), *patch_size), np.bool_) as masks:

        def images() -> Iterator[NDArray[np.float32]]:
            for tile, batch in enumerate(map(sampler.batch, range(patches))):
                centre = int(batch.centres[0])
                case = batch.cases[0]
                group = data.groups[case]
                tiles.append({"tile": tile, "case": case, "group": group, "centre": centre})
                masks.append(batch.labels[:, None] == rare)
                yield batch.images

        clipped = write_activations(network, images(), patches, shapes, target)
    pd.DataFrame(tiles).to_parquet(target / "tiles.parquet", index=False)
    facts = {"layers": list(shapes), "classes": list(rare_classes), "size": list(patch_size)}
    write_json(target / "units.json", facts | {"clipped_activations": clipped})


def check_covering(network: nn.Module, path: str = "layers") -> None:
    """Refuse to look into a network whose layers do not cover what it labels.

    Raises:
        RarelensError: if the network sees more than it labels, for it pads nothing.
    """
    if isinstance(network, UnpaddedNetwork):
        raise RarelensError(
            f"{path}: {type(network).__name__} pads nothing, so that its layers do not cover what "
            "it labels; look into the units of another network"
        )
