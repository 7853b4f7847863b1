"""Peak memory of extract for a number of images and for ten times as many.

Prints a Markdown table and the ratio of the peaks; exits with 1 if that is above the limit. Each
number of images is prepared, a light network drawn at random is saved, and all is extracted in a
process of its own: ``python benchmarks/extract_memory.py`` (Linux only).

"Own" memory is what the process allocated, libraries included, read every 5 ms; the ratio is of
that. "Resident" is the most that was ever in RAM, by the kernel's count: it holds, beside, the
pages of the prepared images that were read, which the kernel drops when it needs the space.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pandas as pd

LIMIT = 1.1
"""Largest ratio of the peaks that is accepted: a row of numbers of each image is kept."""
SIZE = (96, 96)
CLASSES = ("first", "second", "third")
NETWORK = {"network": "light_cnn"}
PREPROCESS = {
    "image_size": SIZE,
    "resize": "stretch",
    "channels": "grey",
    "intensity": "full_range",
    "dtype": "uint8",
    "uncertain": "zeros",
    "classes": None,
}


def prepare(folder: Path, number: int) -> None:
    """Write ``number`` prepared images of noise, each with a concept of one class."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    pixels = np.lib.format.open_memmap(
        folder / "images.npy", mode="w+", dtype=np.uint8, shape=(number, 1, *SIZE)
    )
    masks = np.lib.format.open_memmap(
        folder / "concepts.npy", mode="w+", dtype=np.bool_, shape=(number, *SIZE)
    )
    for row in range(number):
        pixels[row] = rng.integers(0, 256, (1, *SIZE), np.uint8)
        masks[row, 20:40, 30:60] = True
    which = np.arange(number) % len(CLASSES)
    names = [f"image_{row:07d}" for row in range(number)]
    table = {
        "image": names,
        "group": names,
        "split": np.array(["test", "validation", "pool"])[which],
        "labels": list(np.eye(len(CLASSES), dtype=np.float32)[which]),
        "width": SIZE[1],
        "height": SIZE[0],
        "digest": "0",
        "left": 0.0,
        "top": 0.0,
        "scale_x": 1.0,
        "scale_y": 1.0,
    }
    pd.DataFrame(table).to_parquet(folder / "images.parquet", index=False)
    box = {"row": range(number), "class": which, "x": 30.0, "y": 20.0, "width": 30.0}
    pd.DataFrame(box | {"height": 20.0}).to_parquet(folder / "boxes.parquet", index=False)
    concepts = {"row": range(number), "class": which, "area": 600 / 9216, "source": "box"}
    pd.DataFrame(concepts).to_parquet(folder / "concepts.parquet", index=False)
    description = {"name": "noise", "classes": CLASSES, "channels": 1, "size": SIZE}
    description |= {"dtype": "uint8", "mean": [0.5], "std": [0.29]}
    (folder / "dataset.json").write_text(json.dumps(description))


class Peak:
    """Watches the process's own memory while the block runs; ``value`` is its peak in KiB."""

    def __init__(self) -> None:
        self.value = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.005):
            status = Path("/proc/self/status").read_text(encoding="utf-8")
            self.value = max(self.value, int(status.split("RssAnon:")[1].split()[0]))


def extract(folder: Path) -> tuple[int, int]:
    """Extract from a random network; returns the peaks of own and resident memory in KiB."""
    import torch

    from rarelens.studies.data.classification.prepared import PreparedImages
    from rarelens.studies.extraction.classification.extract import extract_cell
    from rarelens.studies.models.classification.model import (
        ClassifierCard,
        build_classifier,
    )
    from rarelens.studies.models.storage import write_model
    from rarelens.studies.settings.classification.stages import ExtractClassification
    from rarelens.studies.settings.methods import Layers

    data = PreparedImages(folder / "prepared")
    card = ClassifierCard.model_validate(
        {
            "dataset": data.name,
            "classes": data.classes,
            "channels": data.channels,
            "size": data.size,
            "mean": data.mean,
            "std": data.std,
            "preprocess": PREPROCESS,
            "network": NETWORK,
            "method": {"objective": "bce"},
            "adjustment": None,
            "fraction": "1",
            "seed": 0,
            "training_images": data.table.index[data.table["split"] == "pool"].tolist(),
            "validation_images": data.table.index[data.table["split"] == "validation"].tolist(),
            "steps": 0,
            "selected_step": 0,
        }
    )
    torch.manual_seed(0)
    network = build_classifier(card.network, data.channels, len(data.classes))
    for name in ("model", "extracts"):
        (folder / name).mkdir()
    write_model(folder / "model", network.state_dict(), card)
    (folder / "model" / "history.csv").write_text("step\n")
    settings = ExtractClassification(
        batch_size=32,
        probe_images=None,
        saliency=("grad_cam",),
        integrated_gradients_steps=16,
        occlusion_window=16,
        threads=1,
        seed=0,
    )
    layers = Layers(units=("stage3", "stage4"), saliency="stage4")
    with Peak() as peak:
        extract_cell(folder / "model", data, folder / "extracts", settings, layers)
    return peak.value, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def in_own_process(number: int) -> tuple[float, float, float]:
    """Size of the extracts of ``number`` images, peaks of own and resident memory, in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder) / "prepared", number)
        command = [sys.executable, __file__, "--folder", folder]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        files = (Path(folder) / "extracts").rglob("*.npy")
        own, resident = map(int, done.stdout.split())
        return sum(file.stat().st_size for file in files) / 2**20, own / 2**10, resident / 2**10


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=400, help="the smaller number")
    parser.add_argument("--folder", type=Path, help="measure this prepared folder only")
    arguments = parser.parse_args()
    if arguments.folder is not None:
        print(*extract(arguments.folder))
        return
    print("| images | extracts, MiB | own memory, MiB | resident, MiB |\n|---|---|---|---|")
    peaks = []
    for number in (arguments.images, 10 * arguments.images):
        size, own, resident = in_own_process(number)
        peaks.append(own)
        print(f"| {number} | {size:.0f} | {own:.0f} | {resident:.0f} |")
    ratio = peaks[1] / peaks[0]
    print(f"\nratio of the peaks of own memory: {ratio:.3f} (at most {LIMIT})")
    if ratio > LIMIT:
        sys.exit(1)


if __name__ == "__main__":
    main()
