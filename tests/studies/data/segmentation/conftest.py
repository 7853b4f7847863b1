"""Tiny datasets on disk, in the layouts in which users have them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rarelens.studies.settings.segmentation.datasets import Preprocess, Split, ZScore


@dataclass(frozen=True)
class Maker:
    """Writes datasets of ``cases`` subjects s0, s1, … with random images and boxes as labels."""

    folder: Path
    cases: int = 6
    channels: int = 1
    classes: int = 3
    shape: tuple[int, int, int] = (9, 8, 7)
    affine: np.ndarray | None = None

    def arrays(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (C, X, Y, Z), nowhere zero, and labels, of subject ``number``."""
        rng = np.random.default_rng(number)
        image = rng.uniform(1, 2, (self.channels, *self.shape)).astype(np.float32)
        labels = np.zeros(self.shape, np.uint8)
        for label in range(1, self.classes):
            labels[2 * label - 1 : 2 * label + 1, 2 : 4 + number % 3, 1:4] = label
        return image, labels

    @property
    def grid(self) -> np.ndarray:
        return np.diag([1.0, 1, 1, 1]) if self.affine is None else self.affine

    def names(self, first: int) -> dict[str, str]:
        return {str(n): f"class{n}" for n in range(first, self.classes)}

    def msd(self) -> Path:
        entries = []
        for number in range(self.cases):
            image, labels = self.arrays(number)
            data = image[0] if self.channels == 1 else np.moveaxis(image, 0, 3)
            self.save(f"imagesTr/s{number}.nii.gz", data)
            self.save(f"labelsTr/s{number}.nii.gz", labels)
            entries.append(
                {"image": f"./imagesTr/s{number}.nii.gz", "label": f"./labelsTr/s{number}.nii.gz"}
            )
        self.describe(
            modality={str(n): f"channel{n}" for n in range(self.channels)},
            labels={"0": "background", **self.names(1)},
            training=entries,
        )
        return self.folder

    def nnunet(self) -> Path:
        for number in range(self.cases):
            image, labels = self.arrays(number)
            for channel, volume in enumerate(image):
                self.save(f"imagesTr/s{number}_{channel:04d}.nii.gz", volume)
            self.save(f"labelsTr/s{number}.nii.gz", labels)
        self.describe(
            channel_names={str(n): f"channel{n}" for n in range(self.channels)},
            labels={"background": 0, **{name: int(n) for n, name in self.names(1).items()}},
            file_ending=".nii.gz",
            numTraining=self.cases,
        )
        return self.folder

    def save(self, name: str, data: np.ndarray, affine: np.ndarray | None = None) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(data, self.grid if affine is None else affine), file)
        return file

    def describe(self, **description: object) -> None:
        (self.folder / "dataset.json").write_text(json.dumps(description))

    def change(self, **changes: object) -> None:
        """Change keys of dataset.json; None removes one."""
        file = self.folder / "dataset.json"
        description = json.loads(file.read_text()) | changes
        self.describe(**{key: value for key, value in description.items() if value is not None})


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Maker]:
    """Gives a `Maker`; call its ``msd()`` or ``nnunet()`` to write the dataset."""

    def make(**options: object) -> Maker:
        return Maker(tmp_path / "raw", **options)

    return make


@pytest.fixture
def settings() -> Callable[..., Preprocess]:
    """Preprocessing without resampling, z-score; override what a test is about."""

    def make(**changes: object) -> Preprocess:
        values = {
            "spacing": None,
            "image_interpolation": "linear",
            "label_interpolation": "nearest",
            "crop_foreground": True,
            "crop_margin": 0,
            "intensity": (ZScore(method="zscore"),),
            "dtype": "float32",
        }
        return Preprocess(**(values | changes))

    return make


@pytest.fixture
def split() -> Callable[..., Split]:
    """Two test cases, one for validation, the rest the pool; override what a test is about."""

    def make(**changes: object) -> Split:
        values = {
            "seed": 0, "test": 2, "validation": 1, "pool": None, "file": None, "group": None,
        }  # fmt: skip
        return Split(**(values | changes))

    return make
