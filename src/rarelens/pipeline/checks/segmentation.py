"""Checks of the segmentation study."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch

from rarelens.errors import RarelensError
from rarelens.pipeline.checks.memory import refuse_memory
from rarelens.pipeline.checks.study import StudyChecks, problems_of
from rarelens.studies.data.prepared import CHECKED, REMEDY
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.data.segmentation.preprocessing import foreground_index
from rarelens.studies.data.segmentation.splits import rare_classes_of, training_subset
from rarelens.studies.extraction.layers import check_layers
from rarelens.studies.extraction.segmentation.logits import (
    Fit,
    bias_without_cases,
    build_adjustment,
)
from rarelens.studies.extraction.segmentation.units import check_covering
from rarelens.studies.models.segmentation.model import build_segmenter, training_patch
from rarelens.studies.models.storage import without_numbers
from rarelens.studies.settings.segmentation.datasets import Dataset
from rarelens.studies.training.segmentation.builders import check_method

Size = tuple[int, int, int]


class SegmentationChecks(StudyChecks[Dataset]):
    """Of the segmentation study."""

    task = "segmentation"
    kind = Dataset

    def check_method(self, name: str) -> None:
        """As `StudyChecks.check_method`."""
        check_method(name, self.methods[name])

    def check_adjustment(self, name: str) -> Fit:
        """Build a post-hoc control as if for two classes, the second of them rare."""
        path = f"adjustments.segmentation.{name}"
        return build_adjustment(self.adjustments[name], [0.5, 0.5], [1], path)

    def check_network(self, network: str, dataset: str) -> None:
        """Run the network's shapes, without its numbers, over one patch; look at its layers."""
        wanted = self.datasets[dataset].patch_size
        with without_numbers():
            settings = self.parameters.networks[network]
            module = build_segmenter(settings, 1, 2, f"networks.{network}").eval()
            taken = _taken(module, wanted)
            if taken is None:
                raise RarelensError(
                    f"params.yaml: datasets.{dataset}.patch_size: networks.{network} does not take "
                    f"patches of {list(wanted)} voxels; {_other_size(module, wanted)}"
                )
        patch, window = taken
        lower = f"datasets.{dataset}.patch_size, train.segmentation.batch_size"
        shape = (self.train.batch_size, 1, *window)
        refuse_memory(module, shape, lower, f"networks.{network}")
        units, path = self.parameters.layers[network].units, f"params.yaml: layers.{network}"
        if units:
            check_covering(module, f"{path}.units")
            check_layers(module, units, 1, patch, path)

    def has_validation(self, dataset: Dataset) -> bool:
        """A split file may name some."""
        return dataset.split.file is not None or dataset.split.validation > 0

    def fitted_on_validation(self, dataset: str) -> Iterator[str]:
        """Adjustments."""
        for name in self.study.adjustments:
            if name in self.adjustments:
                yield from problems_of(partial(self._without_cases, name, dataset))

    def open(self, folder: Path) -> PreparedDataset:
        """Prepared volumes."""
        return PreparedDataset(folder)

    def check_subset(self, data: PreparedDataset, fraction: str, seed: int) -> list[str]:
        """A subset covers the rare classes."""
        settings = self.datasets[data.name]
        rare = rare_classes_of(data, settings.rare_classes, settings.rare_threshold)
        return training_subset(data.table, fraction, seed, rare)

    def check_data(self, data: PreparedDataset) -> list[str]:
        """The voxels that trainings draw patches around are those of the labels.

        Here, once, for trainings and stage extract only read them; of a large dataset not at all.
        """
        if "digest" not in data.table:  # Of before there were any.
            return []
        labels = {case: data.label(case) for case in data.table.index}
        if sum(own.nbytes for own in labels.values()) > CHECKED:
            return []
        return [
            f"{data.folder}: foreground/{case}.npy is not of this case's labels; {REMEDY}"
            for case, own in labels.items()
            if not np.array_equal(data.foreground(case), foreground_index(own))
        ]

    def _without_cases(self, name: str, dataset: str) -> None:
        bias_without_cases(self.check_adjustment(name), f"adjustments.segmentation.{name}", dataset)


def _taken(module: torch.nn.Module, wanted: Size) -> tuple[Size, Size] | None:
    """Patch and window of a network on the device ``meta``; None if it does not take them."""
    try:
        patch, window = training_patch(module, wanted)
        shape = tuple(module(torch.empty(1, 1, *window)).shape)
    except (RuntimeError, ValueError):
        return None
    return (patch, window) if shape == (1, 2, *patch) else None


def _other_size(module: torch.nn.Module, wanted: Size) -> str:
    """What to choose: multiples of the smallest power of 2 that the network takes, if any."""
    for step in (2, 4, 8, 16, 32, 64, 128):
        near, next_ = (
            cast(Size, tuple(step * (max(1, round(side / step)) + more) for side in wanted))
            for more in (0, 1)
        )
        if _taken(module, near) and _taken(module, next_):
            return f"choose multiples of {step}, such as {list(near)}"
    return "choose a larger one"
