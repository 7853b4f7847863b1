"""The diagnosis of a fold with an ignore label, beside nnU-Net's own evaluation of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studies.diagnosis.test_nnunet import made, record, save, scores, truth

__all__ = ["made"]
CLASSES = {"background": 0, "organ": 1, "lesion": 2, "ignore": 3}
REGIONS = {"background": 0, "whole": [1, 2], "lesion": 2, "ignore": 3}


@pytest.mark.parametrize("labels", [CLASSES, REGIONS])
def test_overlap_is_that_of_nnunet(made: Path, labels: dict[str, Any]) -> None:
    from nnunetv2.evaluation.evaluate_predictions import compute_metrics
    from nnunetv2.imageio.nibabel_reader_writer import NibabelIO

    order = {"regions_class_order": [1, 2]} if labels is REGIONS else {}
    (made / "dataset.json").write_text(json.dumps({"labels": labels, **order}))
    raw, own = made.parents[2] / "raw/labelsTr", {}
    for number in range(6):
        values = truth(number)
        values[2:3], values[:, 6:] = 3, 3
        save(raw / f"case_{number}.nii.gz", values)
    for file in sorted(made.glob("fold_*/validation/*.npz")):
        p = scores(truth(int(file.stem[-1])), int(file.stem[-1])).astype(np.float32)
        said = p.argmax(0)
        if labels is REGIONS:
            p = np.stack([p[1] + p[2], p[2]])
            said = np.where(p[1] > 0.5, 2, p[0] > 0.5)
        np.savez(file, probabilities=p.transpose(0, 3, 2, 1))
        own[file.stem] = file.with_suffix(".nii.gz")
        save(own[file.stem], said.astype(np.uint8))
    keys = [1, 2] if labels is CLASSES else [(1, 2), 2]
    for one in record(made / "fold_0", made / "fold_1", labels=raw.parent):
        files = (str(raw / f"{one.case}.nii.gz"), str(own[one.case]))
        theirs = compute_metrics(*files, NibabelIO(), keys, ignore_label=3)["metrics"]
        for key, found in zip(keys, one.classes[1:], strict=True):
            assert found.dice == pytest.approx(theirs[key]["Dice"])
            assert (found.voxels, found.predicted) == (theirs[key]["n_ref"], theirs[key]["n_pred"])
