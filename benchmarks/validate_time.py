"""``rarelens validate`` on a cohort of BraTS's size: before its files passed, and afterwards.

``python benchmarks/validate_time.py``: 484 cases, of which each is a file of 4 × 240 × 240 × 155
and its labels. That many would fill the disk: one is read as `validate` reads it, which tells of
all; the time of the command itself is taken on 484 cases of a few voxels, for what is not read
again costs the same whatever its size.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
from ruamel.yaml import YAML

from rarelens.studies.data.layout import read_collection
from rarelens.studies.data.segmentation.problems import problems_of

ROOT = Path(__file__).parents[1]
CASES = 484
SHAPE = (240, 240, 155)


def cohort(folder: Path, cases: int, shape: tuple[int, ...]) -> None:
    """An MSD folder of random volumes of four channels."""
    rng = np.random.default_rng(0)
    (folder / "imagesTr").mkdir(parents=True)
    (folder / "labelsTr").mkdir()
    names = [f"case_{number:03d}.nii.gz" for number in range(cases)]
    for name in names:
        head = rng.random(shape) < 0.2  # as much of a file is no background
        image = (rng.integers(0, 1000, (*shape, 4)) * head[..., None]).astype(np.int16)
        labels = rng.integers(0, 4, shape).astype(np.uint8)
        nib.save(nib.Nifti1Image(image, np.eye(4)), folder / "imagesTr" / name)
        nib.save(nib.Nifti1Image(labels, np.eye(4)), folder / "labelsTr" / name)
    description = {
        "modality": {str(channel): f"c{channel}" for channel in range(4)},
        "labels": {"0": "background", "1": "edema", "2": "core", "3": "enhancing"},
        "training": [{"image": f"imagesTr/{n}", "label": f"labelsTr/{n}"} for n in names],
    }
    (folder / "dataset.json").write_text(json.dumps(description))


def seconds_a_case(folder: Path) -> float:
    """Of reading one case whole."""
    cohort(folder, 1, SHAPE)
    collection = read_collection("msd", folder, "brats")
    begun = time.perf_counter()
    assert not problems_of(collection.cases[0], collection)
    return time.perf_counter() - begun


def validate(folder: Path) -> float:
    """Seconds of the command."""
    begun = time.perf_counter()
    command = Path(sys.executable).with_name("rarelens")
    subprocess.run([command, "validate"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> None:
    """Build, run, print."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        each = seconds_a_case(folder / "one")
        cohort(folder / "data/raw/brats", CASES, (8, 8, 8))
        parameters = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
        parameters["study"]["simulated"] = []
        parameters["study"]["classification"]["datasets"] = []
        parameters["study"]["segmentation"]["datasets"] = ["brats"]
        YAML().dump(parameters, folder / "params.yaml")
        first, again = validate(folder), validate(folder)
    print(f"reading {CASES} cases of BraTS's size: {each:.2f} s each, {each * CASES / 60:.0f} min")
    print(f"the command on {CASES} tiny cases: {first:.1f} s; once they have passed: {again:.1f} s")


if __name__ == "__main__":
    main()
