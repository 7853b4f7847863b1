"""Trainings whose batches are not made by rarelens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from augmentation import STRENGTH, monai_transforms
from torch import Tensor, nn

from gpu_parts.setting import Setting
from rarelens.studies.training.segmentation.job import SegmentationJob
from rarelens.studies.training.segmentation.task import SegmentationTask
from rarelens.studies.training.task import Batch

# MONAI's processes take ten seconds to end: they wait idle for the end of the part.
KEPT: list[Any] = []


class Supplied(SegmentationTask):
    """A training whose batches are not made by rarelens: ``supply`` gives images and target."""

    supply: Callable[[], tuple[Tensor, Tensor]]

    def batch(self, step: int) -> Batch:
        """Nothing."""
        return Batch(step, torch.zeros(1), torch.zeros(1), np.random.default_rng([0, step]))

    def losses(self, network: nn.Module, batch: Batch) -> Iterator[Tensor]:
        """As of a step's own patches."""
        yield from self.step_losses.losses(network, *self.supply(), batch.rng)


def constant(
    job: SegmentationJob,
    setting: Setting,
    form: torch.memory_format = torch.channels_last_3d,
    compiled: bool = False,
) -> SegmentationTask:
    """One batch, which stays on the device."""
    task = Supplied(job, setting.data)
    task.network.to(memory_format=form)
    if compiled:
        task.network.compile()
    batch = SegmentationTask(job, setting.data).batch(0)
    images = batch.images.to(setting.device).to(memory_format=form)
    target = batch.target.to(setting.device).long()
    task.supply = lambda: (images, target)
    return task


def monai_loader(setting: Setting, patch: Any, batch: int, kind: str, augmented: bool) -> Any:
    """MONAI's loader of as many patches of one volume, set up as its guide to speed advises."""
    from monai.data import CacheDataset, DataLoader, ThreadDataLoader, set_track_meta
    from monai.transforms import (
        Compose,
        EnsureTyped,
        FgBgToIndicesd,
        RandCropByPosNegLabeld,
        SelectItemsd,
    )

    set_track_meta(False)
    both, on = ("image", "label"), setting.device if kind == "thread, GPU" else None
    indices = {"fg_indices_key": "label_fg_indices", "bg_indices_key": "label_bg_indices"}
    crop = RandCropByPosNegLabeld(both, "label", patch, num_samples=batch, **indices)
    fixed = [FgBgToIndicesd("label"), EnsureTyped(both, device=on)]
    after = [monai_transforms(STRENGTH)] if augmented else []
    data = setting.data
    items = [
        {"image": np.array(data.image(c), np.float32), "label": np.array(data.label(c))[None]}
        for c in data.cases("pool")
    ]
    options = {"progress": False, "copy_cache": False, "num_workers": 4}
    cached = CacheDataset(items, Compose([*fixed, crop, SelectItemsd(both), *after]), **options)
    endless = torch.utils.data.RandomSampler(cached, replacement=True, num_samples=10**7)
    if kind == "processes":
        number = max(setting.workers)
        return DataLoader(
            cached, batch_size=1, sampler=endless, num_workers=number, pin_memory=setting.gpu
        )
    return ThreadDataLoader(
        cached, batch_size=1, sampler=endless, num_workers=0, buffer_size=8, buffer_timeout=0.1
    )


def monai_fed(
    job: SegmentationJob, setting: Setting, kind: str, augmented: bool = False
) -> SegmentationTask:
    """Fed by one of MONAI's loaders."""
    task = Supplied(job, setting.data)
    size = job.settings.batch_size
    loaded = iter(monai_loader(setting, job.patch_size, size, kind, augmented))
    if kind == "processes":
        KEPT.append(loaded)

    def supply() -> tuple[Tensor, Tensor]:
        found = next(loaded)
        images = found["image"].to(setting.device, non_blocking=True)
        labels = found["label"].to(setting.device, non_blocking=True)[:, 0]
        return images.to(memory_format=torch.channels_last_3d), labels.long()

    task.supply = supply
    return task
