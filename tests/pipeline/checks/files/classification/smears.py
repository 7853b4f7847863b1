"""A dozen images as COCO."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

RAW = Path("data/raw/smears")


def write_images(folder: Path) -> None:
    """Twelve images (32 wide, 24 high) of six patients; every second shows a white cell."""
    (folder / "images").mkdir(parents=True)
    for number in range(12):
        pixels = np.random.default_rng([3, number]).integers(0, 256, (24, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"images/im_{number:02d}.png")
    pictures = [
        {
            "id": number,
            "file_name": f"im_{number:02d}.png",
            "width": 32,
            "height": 24,
            "group": f"p{number // 2}",
        }
        for number in range(12)
    ]
    boxes = [
        {"id": number, "image_id": number, "category_id": 1 + number % 2, "bbox": [4, 6, 8, 12]}
        for number in range(12)
    ]
    names = [{"id": 1, "name": "RBC"}, {"id": 2, "name": "WBC"}]
    content = {"images": pictures, "annotations": boxes, "categories": names}
    (folder / "annotations.json").write_text(json.dumps(content))


def spoil(edit: Callable[[Any], None]) -> None:
    """Edit the annotations."""
    content = json.loads((RAW / "annotations.json").read_text())
    edit(content)
    (RAW / "annotations.json").write_text(json.dumps(content))
