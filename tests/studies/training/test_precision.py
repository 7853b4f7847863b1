from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from accelerate.state import AcceleratorState

from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.training.checkpoints import Checkpoints
from rarelens.studies.training.loop import Trained, train
from rarelens.studies.training.segmentation.job import SegmentationJob
from rarelens.studies.training.segmentation.task import SegmentationTask


def run(job: SegmentationJob, data: PreparedDataset, scratch: Path) -> Trained:
    AcceleratorState._reset_state(reset_partial_state=True)
    make_task = partial(SegmentationTask, job, data)
    return train(job, make_task, Checkpoints(scratch, "job"), lambda _: None)


def test_tensorfloat_is_for_a_gpu_that_was_asked_for_it(
    tiny: PreparedDataset, make_job: Callable[..., SegmentationJob], tmp_path: Path
) -> None:
    weights, allowed = [], []
    for precision in ("no", "tf32", "bf16"):
        weights.append(run(make_job(precision=precision), tiny, tmp_path / precision).weights)
        allowed.append((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))
    assert allowed == [(False, False), (True, True), (False, False)]
    plain, tensorfloat, _ = weights
    assert all(torch.equal(plain[key], tensorfloat[key]) for key in plain)


def test_algorithms_are_fixed_without_importing_a_compiler() -> None:
    code = (
        "import sys, torch; from rarelens.studies.models.storage import fix_algorithms; "
        "fix_algorithms(1); assert torch.are_deterministic_algorithms_enabled(); "
        "warns = torch.is_deterministic_algorithms_warn_only_enabled(); "
        "assert warns == torch.cuda.is_available(); "
        "print('torch._inductor' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "False"
