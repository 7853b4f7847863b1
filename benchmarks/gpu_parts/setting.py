"""What it runs on, synthetic volumes, and a training of them."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

# What a first optimiser imports, for seconds: once, and not in each process.
if not os.environ.get("RARELENS_GPU_APART"):
    import torch._dynamo

from gpu_parts.processes import Row
from rarelens.studies.cells import Cell
from rarelens.studies.data.prepared import digest_of
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.data.segmentation.preprocessing import foreground_index
from rarelens.studies.files import write_json
from rarelens.studies.settings.methods import Method, Network
from rarelens.studies.settings.segmentation.datasets import Preprocess, ZScore
from rarelens.studies.settings.segmentation.stages import TrainSegmentation
from rarelens.studies.training.segmentation.job import SegmentationJob

UNET = {"network": "unet", "channels": [16, 32, 64, 64], "norm": "batch"}
CLASSES = ("background", "large", "small")
CASES = 8
NAMES = {"no": "float32", "tf32": "TensorFloat-32", "bf16": "bfloat16"}


@dataclass(frozen=True)
class Setting:
    """Where, on what, and how long at a time; a CPU gets small volumes."""

    folder: Path
    gpu: bool
    scale: float

    @property
    def device(self) -> torch.device:
        """The GPU, if there is one."""
        return torch.device("cuda" if self.gpu else "cpu")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a volume."""
        return (160, 160, 128) if self.gpu else (56, 56, 40)

    @property
    def patch(self) -> tuple[int, int, int]:
        """Of a training."""
        return (64, 64, 64) if self.gpu else (32, 32, 32)

    @property
    def flat_patch(self) -> tuple[int, int, int]:
        """As of a heart's few slices."""
        return (96, 96, 16) if self.gpu else (48, 48, 16)

    @property
    def workers(self) -> tuple[int, ...]:
        """Numbers of processes that make batches."""
        return (0, 2, 4, 8) if self.gpu else (0, 2)

    @property
    def seconds(self) -> float:
        """Of a measurement."""
        return 3.0 * self.scale if self.gpu else 0.5

    @property
    def data(self) -> PreparedDataset:
        """What `make_data` has written."""
        return PreparedDataset(self.folder / "data")


def machine() -> Iterator[Row]:
    """What it runs on."""
    gpu = torch.cuda.is_available()
    if gpu:
        torch.zeros(1, device="cuda")
    yield {
        "what": torch.cuda.get_device_name() if gpu else "no GPU: what needs one is skipped",
        "gpu": gpu,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if gpu else None,
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)),
        "MiB of shared memory": shutil.disk_usage("/dev/shm").free // 2**20,
    }


def make_data(setting: Setting) -> Iterator[Row]:
    """Volumes of noise with two structures, as stage ``preprocess`` leaves them."""
    begun, folder, rows = time.perf_counter(), setting.folder / "data", []
    for kind in ("images", "labels", "foreground"):
        (folder / kind).mkdir(parents=True)
    grid = np.stack(np.meshgrid(*map(np.arange, setting.shape), indexing="ij"))
    for number in range(CASES):
        rng, case = np.random.default_rng([0, number]), f"case_{number}"
        labels = np.zeros(setting.shape, np.uint8)
        for label, share in ((1, 0.2), (2, 0.07)):
            centre = rng.uniform(0.3, 0.7, 3) * setting.shape
            apart = grid - centre[:, None, None, None]
            labels[(apart**2).sum(0) < (share * min(setting.shape)) ** 2] = label
        image = rng.standard_normal((2, *setting.shape), np.float32)
        image += np.stack([labels == 1, labels == 2]) * np.float32(2)
        kept = image.astype(np.float16)
        np.save(folder / f"images/{case}.npy", kept)
        np.save(folder / f"labels/{case}.npy", labels)
        np.save(folder / f"foreground/{case}.npy", foreground_index(labels))
        voxels = np.bincount(labels.ravel(), minlength=3).tolist()
        row = {"case": case, "group": case, "split": "pool", "digest": digest_of((kept, labels))}
        rows.append({**row, "shape": setting.shape, "spacing": [1.0] * 3, "voxels": voxels})
    pd.DataFrame(rows).to_parquet(folder / "cases.parquet", index=False)
    facts = {"name": "synthetic", "channels": ["a", "b"], "classes": CLASSES, "spacing": None}
    write_json(folder / "dataset.json", facts)
    size = "×".join(map(str, setting.shape))
    yield {"what": f"{CASES} volumes of 2×{size}", "seconds": time.perf_counter() - begun}


def job_of(setting: Setting, **changes: Any) -> SegmentationJob:
    """A training of the study's U-Net; changes are of its settings, or a job's own."""
    fields: dict[str, Any] = {"network": UNET, "patch_size": setting.patch, "regularisers": {}}
    fields |= {key: changes.pop(key) for key in list(changes) if key in fields}
    settings = {
        "steps": 10**7, "budget": "steps", "epoch_steps": 50 if setting.gpu else 2,
        "batch_size": 4 if setting.gpu else 2, "foreground_share": 0.5, "optimiser": "adamw",
        "learning_rate": 0.001, "weight_decay": 0.0001, "schedule": "polynomial",
        "gradient_clip": 12.0, "precision": "no", "threads": 2, "workers": 0, "patience": None,
        "select": "last", "checkpoint_epochs": 10**9,
    }  # fmt: skip
    return SegmentationJob(
        cell=Cell("segmentation", "synthetic", "unet", "cross_entropy", "1", 0),
        network=Network(**fields["network"]),
        method=Method(objective="cross_entropy", regularisers=fields["regularisers"]),
        settings=TrainSegmentation(**(settings | changes)),
        preprocess=Preprocess(intensity=(ZScore(method="zscore"),)),
        patch_size=fields["patch_size"],
        rare_classes="auto",
        rare_threshold=0.05,
    )
