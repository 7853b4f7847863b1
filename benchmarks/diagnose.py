"""Time and memory of a diagnosis of large cases, against limits and against a plain script.

Cases of 4 × 240 × 240 × 155 float32 probabilities, as a network for BraTS makes them, are written
as nnU-Net writes them. Each is read and summarised as ``rarelens diagnose`` does it, then by a
script of NumPy alone that computes margins and Dice of the same arrays, and nothing of lesions,
offsets or calibration. Then whole diagnoses, page and tables included: of 60 cases of 50³ and,
where RARELENS_REAL_DATA names the folder that holds it, of nnU-Net's run on hippocampus. Exits with
1 above a limit: ``python benchmarks/diagnose.py`` (Linux only).
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np

from rarelens.studies.diagnosis.command import diagnose
from rarelens.studies.diagnosis.files import find_files
from rarelens.studies.diagnosis.nnunet import Found, find_cases
from rarelens.studies.diagnosis.reading import read_cases

SHAPE = (240, 240, 155)
SMALL = (50, 50, 50)
CLASSES = ("background", "edema", "core", "enhancing")
CASES = 3
SECONDS = 6.0
GIBIBYTES = 3.0
SMALL_SECONDS = 60.0
HIPPOCAMPUS_SECONDS = 20.0
HIPPOCAMPUS = "nnunet_hippocampus/nnUNet_results/Dataset904_Hippocampus"


def write(folder: Path, number: int, shape: tuple[int, ...] = SHAPE, side: str = "test") -> None:
    """A case: labels, probabilities with axes z, y, x, and the label map beside them."""
    rng = np.random.default_rng(number)
    labels, scale = np.zeros(shape, np.uint8), shape[0] / SHAPE[0]
    for index, (start, size) in enumerate([(60, 60), (70, 30), (80, 10)], start=1):
        labels[(slice(int(scale * start), int(scale * (start + size))),) * 3] = index
    logits = rng.normal(0, 1, (len(CLASSES), *shape)).astype(np.float32)
    for index in range(len(CLASSES)):
        logits[index][labels == index] += 3
    p = np.exp(logits)
    p /= p.sum(0)
    np.savez_compressed(folder / f"{side}/{number}.npz", probabilities=p.transpose(0, 3, 2, 1))
    said = p.argmax(0).astype(np.uint8)
    nib.save(nib.Nifti1Image(said, np.eye(4)), folder / f"{side}/{number}.nii.gz")
    nib.save(nib.Nifti1Image(labels, np.eye(4)), folder / f"labels/{number}.nii.gz")


def plainly(folder: Path, number: int) -> list[float]:
    """Mean margin and Dice of each class, as one would write it."""
    p = np.load(folder / f"test/{number}.npz")["probabilities"]
    labels = np.asarray(nib.load(folder / f"labels/{number}.nii.gz").dataobj).T
    said, found = p.argmax(0), []
    for index in range(len(CLASSES)):
        own = np.log(p[:, labels == index])
        margins = own[index] - np.delete(own, index, 0).max(0)
        hit = ((said == index) & (labels == index)).sum()
        dice = 2 * hit / ((said == index).sum() + (labels == index).sum())
        found += [float(margins.mean(dtype=np.float64)), float(dice)]
    return found


def seconds_of(found: Found, folder: Path) -> float:
    """Of a whole diagnosis, in one process."""
    before = time.perf_counter()
    list(diagnose(found, None, folder, 1))
    return time.perf_counter() - before


def whole(folder: Path) -> list[tuple[str, float, float]]:
    """Of each whole diagnosis: what it is of, seconds, and how many there may be."""
    for own in ("train", "test", "labels"):
        (folder / own).mkdir(parents=True)
    for number in range(60):
        write(folder, number, SMALL, "train" if number < 30 else "test")
    sides = [folder / own for own in ("test", "labels", "train")]
    small = seconds_of(find_files(*sides, CLASSES), folder / "diagnosis")
    rows = [("60 cases of 50 × 50 × 50", small, SMALL_SECONDS)]
    if data := os.environ.get("RARELENS_REAL_DATA"):
        root = Path(data)
        (fold,) = (root / HIPPOCAMPUS).glob("*/fold_0")
        train = [root / "nnunet_hippocampus/train_predictions"]
        found = find_cases([fold], root / "Task04_Hippocampus", train)
        own = seconds_of(found, folder / "hippocampus")
        rows.append((f"hippocampus, {len(found.sources)} cases", own, HIPPOCAMPUS_SECONDS))
    return rows


def main() -> None:
    """Measure, print, and judge."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for own in ("test", "labels"):
            (folder / own).mkdir()
        for number in range(CASES):
            write(folder, number)
        found = find_files(folder / "test", folder / "labels", classes=CLASSES)
        before, busy = time.perf_counter(), time.process_time()
        records = read_cases(found.scheme, found.sources, 1)
        own_time = (time.perf_counter() - before) / CASES
        own_busy = (time.process_time() - busy) / CASES
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        before = time.perf_counter()
        expected = [plainly(folder, number) for number in range(CASES)]
        plain_time = (time.perf_counter() - before) / CASES
        rows = whole(folder / "whole")
    for record, values in zip(records, expected, strict=True):
        margins = [own.margins.counts.moments.mean for own in record.classes if own.margins]
        np.testing.assert_allclose(margins, values[::2], rtol=1e-5)
        np.testing.assert_allclose([own.dice for own in record.classes], values[1::2])
    print(f"seconds a case: {own_time:.2f} (at most {SECONDS}); plain script {plain_time:.2f}")
    print(f"of a core, which other work of the machine does not count in: {own_busy:.2f}")
    print(f"ratio to the plain script: {own_time / plain_time:.2f}")
    print(f"peak memory, making the cases included: {peak:.2f} GiB (at most {GIBIBYTES})")
    for name, seconds, most in rows:
        print(f"{name}: {seconds:.1f} s (at most {most:.0f})")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    slow = any(seconds > most for _, seconds, most in rows)
    if own_time > SECONDS or peak > GIBIBYTES or slow:
        sys.exit(1)


if __name__ == "__main__":
    main()
