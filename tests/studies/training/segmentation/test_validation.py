from __future__ import annotations

import numpy as np
import pytest
import torch

from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.training.segmentation.task import validation_dice


class Always(torch.nn.Module):
    """Predicts one class of three everywhere."""

    def __init__(self, label: int) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.eye(3)[label])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits.view(1, 3, 1, 1, 1).repeat(len(x), 1, *x.shape[2:])


def test_mean_dice_by_hand(tiny: PreparedDataset) -> None:
    cases = tiny.cases("test")
    voxels = np.array(tiny.table.loc[cases, "voxels"].tolist())
    expected = 2 * voxels[:, 1] / (voxels.sum(1) + voxels[:, 1])
    # Class 2 is there and never predicted: 0.
    found = validation_dice(Always(1), tiny, cases, (8, 8, 8))
    assert found == pytest.approx(expected.mean() / 2)


def test_a_class_neither_there_nor_predicted_counts_as_1(
    tiny: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = PreparedDataset(tiny.folder)
    monkeypatch.setattr(data, "label", lambda case: np.zeros_like(tiny.label(case)))
    assert validation_dice(Always(0), data, data.cases("test"), (8, 8, 8)) == 1
    assert validation_dice(Always(1), data, data.cases("test"), (8, 8, 8)) == 0.5
