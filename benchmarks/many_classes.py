"""Time and memory that stage extract takes to count a case of many classes.

The numbers of `rarelens.pipeline.checks.files.segmentation`, which tells them before anything
runs, are of this. Exits with 1 above a limit: ``python benchmarks/many_classes.py`` (Linux only).
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np

from rarelens.studies.extraction.segmentation import voxels

CLASSES, SIDE = 300, 64
SECONDS = 12.0
GIBIBYTES = 2.0


def main() -> int:
    """Count, print, and return the exit status."""
    rng = np.random.default_rng(0)
    labels = (np.arange(SIDE**3) * CLASSES // SIDE**3).astype(np.uint16)
    logits = rng.standard_normal((CLASSES, SIDE**3), np.float32)
    logits *= 2
    begun = time.process_time()
    voxels.moments(logits, labels)
    voxels.histograms(logits, labels, 0.0625)
    voxels.joint_histograms(logits, labels, 0.5)
    voxels.calibration(logits, labels, 20)
    voxels.sample(logits, labels, (SIDE,) * 3, 100, 0, "case")
    seconds = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{CLASSES} classes, {SIDE}³ voxels: {seconds:.1f} s, {peak:.1f} GiB")
    return int(seconds > SECONDS or peak > GIBIBYTES)


if __name__ == "__main__":
    sys.exit(main())
