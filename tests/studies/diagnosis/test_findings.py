"""The rules of the findings, one row each, and what each one advises."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rarelens.nnunet import PATH
from rarelens.studies.diagnosis.findings import FINDINGS, find

TRAINER = re.compile(r"nnUNetTrainer\w+")


def side(wrong: float, dice: float = 0.7, **more: Any) -> dict[str, Any]:
    return {
        "cases": 12, "patients": 12, "margin_mean": 1.0, "misclassified": wrong, "saturated": 0.0,
        "sensitivity": 1 - wrong, "precision": 1 - wrong, "dice": dice, "volume_ratio": 0.6, **more,
    }  # fmt: skip


def row(
    train: float | None,
    unseen: float | dict[str, Any],
    shift: tuple[float, float] = (-0.5, 0.5),
    gain: tuple[float, float] = (-0.01, 0.01),
) -> dict[str, Any]:
    none = {"difference": None, "low": None, "high": None}
    known = {"difference": sum(shift) / 2, "low": shift[0], "high": shift[1]}
    own = known if train is not None else none
    return {
        "name": "lesion",
        "rare": True,
        "train": side(train or 0.0, patients=12 if train is not None else 0),
        "unseen": unseen if isinstance(unseen, dict) else side(unseen),
        "shift": own | {f"median_{key}": value for key, value in own.items()},
        "offset": {"value": 1.0, "dice_gain": sum(gain) / 2, "low": gain[0], "high": gain[1]},
    }


@pytest.mark.parametrize(
    ("about", "finding"),
    [
        (row(0.05, 0.08, shift=(-2, -1)), "no failure"),
        (row(0.05, 0.40, shift=(-2, -1)), "overfitting"),
        (row(0.05, 0.40, shift=(-2, -1), gain=(0.02, 0.08)), "overfitting"),
        (row(0.05, 0.40, shift=(-2, 0.1)), "ranking failure"),
        (row(0.05, 0.40, gain=(0.02, 0.08)), "prior mismatch"),
        (row(0.30, 0.40, shift=(-2, -1)), "underfitting"),
        (row(0.30, 0.30), "underfitting"),
        (row(0.30, 0.30, gain=(0.02, 0.08)), "prior mismatch"),
        (row(0.30, 0.30, gain=(0.001, 0.009)), "underfitting"),
        (row(None, 0.30), "ranking failure"),
        (row(None, 0.30, gain=(0.02, 0.08)), "prior mismatch"),
        (row(0.05, side(0.4, patients=2)), "too few patients"),
        (row(None, side(0.3, margin_mean=None)), "label maps alone"),
        # Over-segmentation: all found, and as much again.
        (row(0.05, side(0.05, precision=0.5), gain=(0.05, 0.1)), "prior mismatch"),
    ],
)  # fmt: skip
def test_the_rules(about: dict[str, Any], finding: str) -> None:
    found = find(about)
    assert found.name == finding
    assert found.name in FINDINGS
    assert bool(found.advice) == (finding != "no failure")
    applies = any("diagnose apply" in own.what for own in found.advice)
    assert applies == (about["offset"]["low"] > 0 and about["offset"]["dice_gain"] >= 0.01)
    assert "lesion" in found.explanation


def test_medians_speak_where_many_voxels_are_saturated() -> None:
    about = row(0.05, 0.40, shift=(-0.5, 0.5))
    about["shift"] |= {"median_difference": -1.5, "median_low": -2.0, "median_high": -1.0}
    assert find(about).name == "ranking failure"
    about["train"]["saturated"] = 0.2
    found = find(about)
    assert found.name == "overfitting"
    assert "shifted by −1.50 (−2.00 to −1.00): towards the boundary" in found.explanation


def test_of_nnunet_the_trainers_are_named_with_the_command() -> None:
    train = "nnUNetv2_train 904 3d_fullres 0 -p nnUNetPlans --npz"
    about = row(0.05, 0.40, shift=(-2, -1))
    plain, found = find(about), find(about, train, ["lesion", "left lobe"])
    assert found[:2] == plain[:2]
    assert [own.why for own in found.advice] == [own.why for own in plain.advice]
    assert found.advice[0].command == (
        "nnUNet_extTrainer=$(rarelens nnunet path) RARELENS_RARE_CLASSES='lesion,left lobe' "
        f"{train} -tr nnUNetTrainerAsymmetricFocalMargin"
    )
    assert "FocalMarginLoss" in plain.advice[0].what
    assert {own.command for own in plain.advice} == {""}
    # A class that is not marked as rare is named beside those that are.
    under = find(row(0.30, 0.40), train, ["cyst"]).advice
    assert f"=cyst,lesion {train} -tr nnUNetTrainerAsymmetricUnifiedFocal" in under[1].command
    assert find(row(0.05, 0.08), train, ["lesion"]).advice == ()
    # Every trainer that is named is there, to be found by nnU-Net in this folder.
    text = "".join(file.read_text("utf-8") for file in PATH.glob("*.py"))
    named = {
        n for own in (*found.advice, *under) for n in TRAINER.findall(f"{own.what} {own.command}")
    }
    assert len(named) == 4
    assert all(f"class {name}(" in text for name in named)
