"""Fixtures of the tests on image datasets: settings, and a small COCO folder to spoil."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rarelens.studies.settings.classification.datasets import ImagePreprocess, ImageSplit


@pytest.fixture(scope="session")
def settings() -> Callable[..., ImagePreprocess]:
    """Settings of preprocess; change what a test is about."""

    def make(**changes: Any) -> ImagePreprocess:
        values = {
            "image_size": (16, 16),
            "resize": "stretch",
            "channels": "grey",
            "intensity": "full_range",
            "dtype": "uint8",
            "uncertain": "zeros",
            "classes": None,
        }
        return ImagePreprocess(**(values | changes))

    return make


@pytest.fixture(scope="session")
def split() -> Callable[..., ImageSplit]:
    """Settings of the split; change what a test is about."""

    def make(**changes: Any) -> ImageSplit:
        values = {
            "seed": 0,
            "test": 0.25,
            "validation": 0.25,
            "official": True,
            "file": None,
            "group": None,
        }
        return ImageSplit(**(values | changes))

    return make


class CocoFolder:
    """A folder of eight grey images (32 wide, 24 high) of four patients; edit, then ``save``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "annotations.json"
        (folder / "images").mkdir(parents=True)
        for number in range(8):
            pixels = np.random.default_rng([5, number]).integers(0, 256, (24, 32), np.uint8)
            Image.fromarray(pixels).save(folder / f"images/im_{number}.png")
        self.content: dict[str, Any] = {
            "images": [
                {
                    "id": number,
                    "file_name": f"im_{number}.png",
                    "width": 32,
                    "height": 24,
                    "group": f"p{number // 2}",
                }
                for number in range(8)
            ],
            "annotations": [
                {"id": 1, "image_id": 0, "category_id": 10, "bbox": [4.0, 6.0, 8.0, 12.0]},
                {"id": 2, "image_id": 2, "category_id": 10, "bbox": [0.0, 0.0, 32.0, 24.0]},
                {"id": 3, "image_id": 4, "category_id": 20, "bbox": [10.0, 10.0, 4.0, 4.0]},
                {"id": 4, "image_id": 4, "category_id": 20, "bbox": [20.0, 10.0, 4.0, 4.0]},
            ],
            "categories": [{"id": 10, "name": "mass"}, {"id": 20, "name": "nodule"}],
        }
        self.save()

    def save(self) -> None:
        self.file.write_text(json.dumps(self.content))

    def annotate(self, **keys: Any) -> None:
        """Add annotation 9: of category 10 in image 1, unless said otherwise."""
        entry = {"id": 9, "image_id": 1, "category_id": 10, **keys}
        self.content["annotations"].append(entry)
        self.save()


@pytest.fixture
def coco(tmp_path: Path) -> CocoFolder:
    return CocoFolder(tmp_path / "coco")
