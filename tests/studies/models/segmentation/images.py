"""Images and label maps as files."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np


def labels(file: Path) -> np.ndarray:
    return np.asarray(nib.load(file).dataobj)


def split_channels(source: Path, folder: Path, case: str) -> None:
    """Write a 4-D image as one file per channel, as nnU-Net has it."""
    folder.mkdir(exist_ok=True)
    image = nib.load(source)
    data = np.asarray(image.dataobj)
    for channel in range(data.shape[3]):
        part = nib.Nifti1Image(data[..., channel], image.affine)
        nib.save(part, folder / f"{case}_{channel:04d}.nii.gz")
