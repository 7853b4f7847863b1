"""The how-to pages of the diagnosis do what they say, followed to the letter."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

from pages import blocks
from rarelens.studies.diagnosis import findings
from shell import command
from studies.diagnosis.test_files import CLASSES, four, logits, save, truth
from studies.diagnosis.test_nnunet import RUN
from working_copy import ROOT


def follow(page: str, monkeypatch: pytest.MonkeyPatch, names: dict[str, Any]) -> None:
    for kind, _, content in blocks(page):
        if kind == "python":
            exec(content, names)
        elif kind == "sh":
            assert command(monkeypatch, *shlex.split(content)[1:]) == 0


def test_of_nnunet(real_data: Path, offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, dataset = real_data / "nnunet_hippocampus", RUN.split("/")[0]
    model = offline / f"nnUNet_results/{dataset}/nnUNetTrainer__nnUNetPlans__3d_fullres"
    model.parent.mkdir(parents=True)
    model.symlink_to(run / "nnUNet_results" / RUN)
    (offline / "nnUNet_raw").mkdir()
    (offline / "nnUNet_raw" / dataset).symlink_to(real_data / "Task04_Hippocampus")
    (offline / "train_predictions").symlink_to(run / "train_predictions")
    follow("how-to/diagnose-nnunet.md", monkeypatch, {})
    page = (ROOT / "docs/how-to/diagnose-nnunet.md").read_text("utf-8")
    result = json.loads((offline / "diagnosis/diagnosis.json").read_text())
    assert [row["train"]["cases"] for row in result["classes"]] == [12, 12, 12]
    for row in result["classes"]:
        for part in (row, row["train"], row["unseen"], row["offset"]):
            undocumented = [name for name in part if f"`{name}`" not in page]
            assert undocumented == []
    written = {file.name for file in (offline / "diagnosis").iterdir()}
    assert {name for name in written if f"`{name}`" not in page} == set()
    # Every rule that the page states, with the numbers of the code.
    for name in findings.FINDINGS:
        assert name in page or name == "label maps alone"
    assert f"at most {findings.TOLERATED:.0%}".replace("%", " %") in page
    assert f"at least {findings.WORTH} in Dice" in page
    # The label maps: nnU-Net's own, for the best offset of this class is 0.
    assert result["classes"][1]["offset"]["value"] == 0
    own = sorted((offline / "with_offsets").glob("*.nii.gz"))
    assert len(own) == 12
    for file in own:
        theirs = nib.load(model / "fold_0/validation" / file.name)
        np.testing.assert_array_equal(nib.load(file).dataobj, theirs.dataobj)
        np.testing.assert_array_equal(nib.load(file).affine, theirs.affine)


def test_of_your_own(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases: dict[str, list[Any]] = {"train": [], "unseen": []}
    for number in range(11):
        side = "train" if number < 5 else "unseen"
        folder = offline / ("train" if number < 5 else "test")
        folder.mkdir(exist_ok=True)
        four(folder, f"case_{number}", logits(number))
        save(offline / f"labels/case_{number}.nii.gz", truth(number))
        image = torch.from_numpy(logits(number))
        cases[side].append((f"case_{number}", image, torch.from_numpy(truth(number).astype(int))))
    names = {"training": cases["train"], "validation": cases["unseen"], "network": lambda x: x}
    follow("how-to/diagnose-your-own.md", monkeypatch, names)
    rows = json.loads((offline / "diagnosis/diagnosis.json").read_text())["classes"]
    lesion = rows[2]
    assert lesion["finding"] == "prior mismatch"
    written = sorted((offline / "with_offsets").iterdir())
    assert [file.name for file in written] == sorted(f"case_{n}.nii.gz" for n in range(5, 11))
    z = logits(5)
    z[2] += lesion["offset"]["value"]
    np.testing.assert_array_equal(nib.load(written[1]).dataobj, z.argmax(0))
    np.testing.assert_array_equal(
        nib.load(written[1]).affine, nib.load("labels/case_5.nii.gz").affine
    )
    own = names["result"]["classes"][2]
    assert own["unseen"]["dice"] == pytest.approx(lesion["unseen"]["dice"])
    assert own["shift"]["difference"] == pytest.approx(lesion["shift"]["difference"])
    again = names["diagnosis"].compute()["classes"]
    assert [row["name"] for row in again] == CLASSES
    assert again[2]["offset"] == own["offset"]


def test_the_pages_name_each_other_and_every_command() -> None:
    text = "".join(
        (ROOT / f"docs/how-to/diagnose-{name}.md").read_text("utf-8")
        for name in ("nnunet", "your-own")
    )
    assert set(re.findall(r"rarelens diagnose (\w+)", text)) == {"nnunet", "files", "apply"}
