"""What a class's numbers mean, in plain words, by rules that are stated; and what to try.

The rules, in this order, of a foreground class on unseen patients (``docs/how-to`` tells them too):

1. fewer than `LEAST_PATIENTS` unseen patients have it: *too few patients*;
2. at most `TOLERATED` of its voxels are missed and of its prediction wrong: *no failure*;
3. the training side is known, the shift's interval is below 0, and more than half of the unseen
   error is not there in training: *overfitting*;
4. a cross-fitted offset gains at least `WORTH` in Dice, its interval above 0: *prior mismatch*;
5. the training side is known, and more than `TOLERATED` is missed or wrong there, too:
   *underfitting*;
6. otherwise: *ranking failure*, for no threshold helps;

and *label maps alone* where there are no scores and the class fails.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rarelens.studies.reporting.number_text import interval, signed

LEAST_PATIENTS = 3
TOLERATED = 0.1
WORTH = 0.01
SATURATED = 0.05
"""Above this share of saturated voxels the shift of medians stands for that of means."""

FINDINGS = (
    "no failure", "overfitting", "underfitting", "prior mismatch", "ranking failure",
    "label maps alone", "too few patients",
)  # fmt: skip

Row = Mapping[str, Any]


class Advice(NamedTuple):
    """What to try, why, and by which command, if there is one."""

    what: str
    why: str
    command: str = ""


class Finding(NamedTuple):
    """A name out of `FINDINGS`, a sentence or two with the numbers, and what to try."""

    name: str
    explanation: str
    advice: tuple[Advice, ...]


def find(row: Row, command: str = "", rare: Sequence[str] = ()) -> Finding:
    """The finding of a class.

    Args:
        row: of ``diagnosis.json``, without its finding.
        command: of nnU-Net, which trains the fold anew but for ``-tr TRAINER``; none where another
            network was diagnosed.
        rare: names of the rare classes, which rarelens's trainers are told.
    """
    name = _name(row)
    start = _training(row, command, rare) if command else ""
    return Finding(name, _explain(name, row), _advice(name, row, start))


def gains(row: Row) -> bool:
    """Whether an offset is worth applying."""
    offset = row["offset"]
    known = offset["low"] is not None
    return bool(known and offset["low"] > 0 and offset["dice_gain"] >= WORTH)


def shift_of(row: Row) -> tuple[float | None, float | None, float | None]:
    """Difference, low and high: of means, or of medians where many voxels are saturated."""
    shift = row["shift"]
    shares = [row[side]["saturated"] or 0 for side in ("train", "unseen")]
    start = "median_" if max(shares) > SATURATED else ""
    return tuple(shift[start + name] for name in ("difference", "low", "high"))


def _missed(side: Row) -> float:
    share = side["misclassified"]
    return float(1 - side["sensitivity"] if share is None else share)


def _fails(side: Row) -> bool:
    return _missed(side) > TOLERATED or 1 - side["precision"] > TOLERATED


def _name(row: Row) -> str:
    train, unseen = row["train"], row["unseen"]
    if unseen["patients"] < LEAST_PATIENTS:
        return "too few patients"
    if not _fails(unseen):
        return "no failure"
    if unseen["margin_mean"] is None:
        return "label maps alone"
    known = train["patients"] > 0
    if known:
        high = shift_of(row)[2]
        new = _missed(unseen) - _missed(train)
        if high is not None and high < 0 and new > _missed(unseen) / 2:
            return "overfitting"
    if gains(row):
        return "prior mismatch"
    return "underfitting" if known and _fails(train) else "ranking failure"


def _explain(name: str, row: Row) -> str:
    train, unseen = row["train"], row["unseen"]
    if name == "too few patients":
        return (
            f"Only {unseen['patients']} unseen patients have {row['name']}; at least "
            f"{LEAST_PATIENTS} are needed to say anything."
        )
    said = [_unseen(row)]
    if train["patients"]:
        said.append(_against_training(row))
    meaning = {
        "no failure": f"Not more than {TOLERATED:.0%} are missed or wrong: no failure to explain.",
        "overfitting": (
            "The network finds far more of what it was trained on than of new patients: it has "
            "overfitted this class."
        ),
        "underfitting": (
            "It fails on its own training cases, too: what is missing there has not been learnt."
        ),
        "prior mismatch": (
            "The order of the voxels is right and the boundary stands in the wrong place: an "
            "offset repairs a part of it."
        ),
        "ranking failure": (
            "Moving the boundary does not help: voxels of the class and of others have the same "
            "scores."
        ),
        "label maps alone": "Without probabilities there is no telling why.",
    }
    said.append(meaning[name])
    if unseen["margin_mean"] is not None:
        said.append(_offset(row))
    if not train["patients"] and name in ("prior mismatch", "ranking failure"):
        said.append(
            "Whether it is overfitting or underfitting, predictions of the training cases tell."
        )
    return " ".join(said)


def _unseen(row: Row) -> str:
    unseen = row["unseen"]
    return (
        f"On unseen patients {_missed(unseen):.1%} of the voxels of {row['name']} are missed and "
        f"{1 - unseen['precision']:.1%} of what is predicted is wrong (Dice {unseen['dice']:.3f}, "
        f"volume {unseen['volume_ratio']:.2f} of the true one)."
    )


def _against_training(row: Row) -> str:
    said = f"On training patients {_missed(row['train']):.1%} are missed"
    difference, low, high = shift_of(row)
    if difference is None or low is None or high is None:
        return f"{said}."
    where = "unclear from these patients"
    if high < 0:
        where = "towards the boundary or beyond it"
    elif low > 0:
        where = "away from the boundary"
    return (
        f"{said}; the logits of the unseen ones are shifted by {signed(difference, 2)} "
        f"({interval(low, high, 2)}): {where}."
    )


def _offset(row: Row) -> str:
    offset = row["offset"]
    if offset["low"] is None:
        return ""
    low, high = offset["low"], offset["high"]
    numbers = f"{signed(offset['dice_gain'])} ({interval(low, high)})"
    if gains(row):
        return (
            f"An offset of {signed(offset['value'], 2)} on its logit, judged on patients it was "
            f"not fitted on, changes Dice by {numbers}."
        )
    return f"The best offset changes Dice by {numbers} on patients it was not fitted on."


_APPLY = Advice(
    "Apply the fitted offset: rarelens diagnose apply",
    "it needs no training, and its gain was measured on patients that it had not seen",
)
_TRY: Mapping[str, tuple[tuple[str, str], ...]] = {
    "no failure": (),
    "too few patients": (("Predict more unseen cases", "intervals are over patients"),),
    "label maps alone": (
        ("Save probabilities, and diagnose them", "margins and offsets are made of them"),
    ),
    "overfitting": (
        (
            "Train with an asymmetric loss: FocalMarginLoss and FocalDiceLoss with rare_classes "
            "(rarelens.components.objectives)",
            "it pushes the logits of the rare class alone away from the boundary, which is where "
            "those of unseen patients fall over it",
        ),
        (
            "Augment or mix the patches of this class alone (asymmetric augmentation and mixup)",
            "the network has seen too few different voxels of it",
        ),
        ("Add training cases that hold it", "the shift shrinks with their number"),
    ),
    "underfitting": (
        (
            "Draw more patches on this class, train longer, or with larger patches",
            "it fails where it was trained, so it is not more regularisation that it lacks",
        ),
        (
            "Weigh it up: WeightedCrossEntropyLoss, or a Dice or Tversky term",
            "a loss that counts every voxel alike lets a rare class go",
        ),
        ("Look at its labels in the worst training cases", "no network learns contradictions"),
    ),
    "prior mismatch": (
        (
            "Train with LogitAdjustedLoss, or without the sampling that made the class common",
            "the share of the class in training patches is not that of whole images",
        ),
    ),
    "ranking failure": (
        (
            "Give the network what tells the class apart: a channel, a finer grid, more cases",
            "no threshold and no weight can order what looks alike to it",
        ),
        ("Look at the labels of the missed lesions", "they may be drawn by other rules"),
    ),
}

# Instead of the piece of advice at this place, where nnU-Net trains; the command ends in a trainer.
_TRAINERS: Mapping[str, Mapping[int, tuple[str, str]]] = {
    "overfitting": {
        0: ("Train with an asymmetric loss", "nnUNetTrainerAsymmetricFocalMargin"),
        1: (
            "Augment the patches of this class alone, or mix them: the last word of the command is "
            "then nnUNetTrainerAsymmetricMixup",
            "nnUNetTrainerAsymmetricAugmentation",
        ),
    },
    "underfitting": {
        1: ("Weigh it up beside the others", "nnUNetTrainerAsymmetricUnifiedFocal"),
    },
}


def _advice(name: str, row: Row, training: str) -> tuple[Advice, ...]:
    found = [_APPLY] if gains(row) and name != "no failure" else []
    known = _TRAINERS.get(name, {}) if training else {}
    for place, (what, why) in enumerate(_TRY[name]):
        own, trainer = known.get(place, (what, ""))
        found.append(Advice(own, why, f"{training} {trainer}" if trainer else ""))
    return tuple(found)


def _training(row: Row, command: str, rare: Sequence[str]) -> str:
    names = rare if row["name"] in rare else (*rare, row["name"])
    named = shlex.quote(",".join(names))
    return f"nnUNet_extTrainer=$(rarelens nnunet path) RARELENS_RARE_CLASSES={named} {command} -tr"
