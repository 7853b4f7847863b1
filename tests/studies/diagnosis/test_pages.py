"""The how-to pages of the diagnosis do what they say, followed to the letter."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import sys
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
        elif kind == "sh" and content.startswith("rarelens "):  # nnU-Net's own are done before.
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


def test_in_pytorch(
    real_data: Path,
    offline: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The page with two training cases, three others and six steps instead of hundreds."""
    (offline / "Task04_Hippocampus").symlink_to(real_data / "Task04_Hippocampus")
    code, size = "", "TRAINING, UNSEEN, STEPS, SEEDS, SIZE = "
    for kind, _, content in blocks("how-to/diagnose-in-pytorch.md"):
        code += content if kind == "python" else ""
    shorter, times = re.subn(rf"{size}.*", f"{size}2, 3, 6, 2, 16", code)
    assert times == 1
    names: dict[str, Any] = {}
    exec(shorter, names)
    rows = {}
    for kind, seed in (("before", 0), ("before", 1), ("after", 0), ("after", 1)):
        result = json.loads((offline / kind / str(seed) / "diagnosis.json").read_text())
        rows[kind, seed] = result["classes"][1]
        assert (result["cases"]["train"], result["cases"]["unseen"]) == (2, 3)
        assert rows[kind, seed]["rare"]
    shifts = {row["shift"]["difference"] for row in rows.values()}
    assert len(shifts) == 4
    # The last network that was trained, once more, by hand.
    margins: dict[bool, list[float]] = {True: [], False: []}
    for case, (image, label) in names["cases"].items():
        with torch.no_grad():
            z = names["network"](torch.from_numpy(image)[None, None])[0].numpy()
        own = z[:, label == 1]
        margins[case in names["training"]].append((own[1] - np.delete(own, 1, 0).max(0)).mean())
    by_hand = np.mean(margins[False]) - np.mean(margins[True])
    assert rows["after", 1]["shift"]["difference"] == pytest.approx(by_hand, abs=1e-4)

    monkeypatch.setattr(sys, "argv", ["before_after.py", "before", "after"])
    capsys.readouterr()
    runpy.run_path(str(ROOT / "docs/results/before_after.py"), run_name="__main__")
    table = capsys.readouterr().out
    (line,) = re.findall(r"\| Anterior \| logit shift \|(.*)\|(.*)\|.*\|", table)
    for kind, cell in zip(("before", "after"), line, strict=True):
        own = [rows[kind, seed]["shift"]["difference"] for seed in (0, 1)]
        assert f"{np.mean(own):+.3f}: {own[0]:+.2f}, {own[1]:+.2f}" in cell
    (line,) = re.findall(r"\| Anterior \| unseen: dice \|(.*)\|(.*)\|.*\|", table)
    for kind, cell in zip(("before", "after"), line, strict=True):
        own = [rows[kind, seed]["unseen"]["dice"] for seed in (0, 1)]
        assert float(cell) == pytest.approx(np.mean(own), abs=6e-4)


def test_the_pages_name_each_other_and_every_command() -> None:
    text = "".join(
        (ROOT / f"docs/how-to/diagnose-{name}.md").read_text("utf-8")
        for name in ("nnunet", "your-own")
    )
    assert set(re.findall(r"rarelens diagnose (\w+)", text)) == {"nnunet", "files", "apply"}
