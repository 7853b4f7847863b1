"""A tiny classifier and tiny prepared images, both in memory, by the contract of the real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rarelens.studies.settings.classification.stages import ExtractClassification
from rarelens.studies.settings.methods import Layers

CLASSES = ("common", "middling", "rare")


class TinyNet(nn.Module):
    """Two convolutions and a linear head; the first one's output is overwritten in place."""

    def __init__(self, channels: int = 2, classes: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 4, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.block = nn.Sequential(
            nn.Conv2d(4, 5, 3, stride=2, padding=1), nn.BatchNorm2d(5), nn.SiLU()
        )
        self.head = nn.Linear(5, classes)

    def features(self, images: Tensor) -> Tensor:
        return self.block(self.act(self.stem(images))).mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


class TinyImages:
    """Prepared images in memory: 24 of two channels, 12 × 10, three classes."""

    def __init__(self, order: Sequence[int] = range(24), size: tuple[int, int] = (12, 10)) -> None:
        rng = np.random.default_rng(5)
        number = len(order)
        self.name, self.classes, self.channels, self.size = "tiny", CLASSES, 2, size
        self.mean, self.std = (0.5, 0.4), (0.3, 0.2)
        pixels = rng.integers(0, 256, (number, 2, *size), np.uint8)
        labels = (rng.random((number, 3)) < (0.6, 0.3, 0.1)).astype(np.float32)
        labels[[0, 2, 4]] = [(1, 0, 1), (1, 1, 0), (0, 1, 1)]
        labels[3, 1] = np.nan
        self._pixels, self._labels = pixels[list(order)], labels[list(order)]
        split = np.array(["test", "validation", "pool", "pool"])[np.arange(number) % 4]
        self.table = pd.DataFrame(
            {
                "group": [f"g{i // 2}" for i in order],
                "split": split[list(order)],
                "row": np.arange(number),
            },
            index=pd.Index([f"i{k:02d}" for k in range(number)], name="image"),
        )
        # Images of even origin have a region for each of their labels but the second.
        found = [
            (row, c)
            for row, origin in enumerate(order)
            for c in (0, 2)
            if origin % 2 == 0 and self._labels[row, c] == 1
        ]
        self.concepts = pd.DataFrame(found, columns=["row", "class"], dtype=np.int64)

    def labels(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._labels[rows]

    def images(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        mean, std = (np.array(v, np.float32).reshape(-1, 1, 1) for v in (self.mean, self.std))
        return (self._pixels[rows].astype(np.float32) / 255 - mean) / std


@pytest.fixture
def network() -> TinyNet:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = TinyNet()
        network.block[1].running_mean += 0.1 * torch.randn(5)
        return network.eval()


@pytest.fixture
def tensor() -> Tensor:
    return torch.randn(6, 2, 12, 10, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def layers() -> Layers:
    return Layers(units=("act", "block.0"), saliency="block")


@pytest.fixture
def make_settings() -> Callable[..., ExtractClassification]:
    def make(**changes: Any) -> ExtractClassification:
        values = {
            "batch_size": 4,
            "probe_images": None,
            "saliency": ("grad_cam",),
            "integrated_gradients_steps": 8,
            "occlusion_window": 4,
            "threads": 1,
            "seed": 0,
        }
        return ExtractClassification(**(values | changes))

    return make


@pytest.fixture
def model(network: TinyNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes the folder of a model trained on the named images; loading it gives ``network``."""

    def make(data: TinyImages, training: Sequence[str], **changes: Any) -> Path:
        from rarelens.studies.extraction.classification import extract

        card = SimpleNamespace(
            classes=data.classes,
            channels=data.channels,
            size=data.size,
            mean=data.mean,
            std=data.std,
            training_images=tuple(training),
            validation_images=tuple(data.table.index[data.table["split"] == "validation"]),
        )
        for key, value in changes.items():
            setattr(card, key, value)
        monkeypatch.setattr(extract, "load_classifier", lambda _: (network, card))
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        (folder / "history.csv").write_text("step,loss\n1,0.5\n")
        return folder

    return make


@pytest.fixture
def tiny_images() -> TinyImages:
    return TinyImages()
