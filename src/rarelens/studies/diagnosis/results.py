"""The numbers of ``diagnosis.json``, from the records of all cases."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rarelens.measures.arrays import ratio
from rarelens.measures.calibration import calibration_errors
from rarelens.measures.class_offsets import OFFSETS, cross_fitted_gain
from rarelens.measures.class_summary import CALIBRATION_BINS, ClassSummary
from rarelens.measures.statistics.sides import difference_of_sides
from rarelens.studies.diagnosis.findings import find
from rarelens.studies.diagnosis.record import SIDES, CaseRecord
from rarelens.studies.diagnosis.scheme import Scheme

RARE = 0.05
"""A foreground class with a smaller share of all voxels is rare, if none is named."""

Value = Callable[[ClassSummary], float]
Records = Sequence[CaseRecord]


def _margin_mean(one: ClassSummary) -> float:
    return math.nan if one.margins is None else float(one.margins.counts.moments.mean)


def _misclassified(one: ClassSummary) -> float:
    if one.margins is None:
        return math.nan
    return float(one.margins.counts.moments.negative_fraction)


# Of a case that holds the class; the mean over the cases of a patient, then over patients.
VALUES: Mapping[str, Value] = {
    "margin_mean": _margin_mean,
    "margin_median": lambda one: math.nan if one.margins is None else one.margins.median,
    "misclassified": _misclassified,
    "saturated": lambda one: (
        math.nan if one.margins is None else one.margins.saturated / one.voxels
    ),
    "dice": lambda one: one.dice,
    "sensitivity": lambda one: one.sensitivity,
    "precision": lambda one: one.precision,
    "volume_ratio": lambda one: one.volume_ratio,
    "missed": lambda one: float(not one.predicted) if one.voxels else math.nan,
}


def diagnose(
    scheme: Scheme,
    records: Records,
    rare: Sequence[int] | None,
    confidence: float,
    command: str = "",
) -> dict[str, Any]:
    """What ``diagnosis.json`` holds; None where a number does not exist.

    Args:
        scheme: classes.
        records: in a fixed order.
        rare: indices; None for those below `RARE`.
        confidence: of the intervals.
        command: of nnU-Net, as of `rarelens.studies.diagnosis.findings.find`.

    Raises:
        ValueError: if there is no record, or ``confidence`` is not between 0 and 1.
    """
    if not records:
        raise ValueError("there is no case to diagnose")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence lies between 0 and 1, {confidence} does not")
    marked = _rare(scheme, records) if rare is None else rare
    named = [scheme.names[index] for index in marked]
    errors = _calibration(scheme, records)
    rows = []
    for index, name in enumerate(scheme.names):
        row: dict[str, Any] = {"index": index, "name": name, "rare": index in marked}
        for side in SIDES:
            own = _side(records, side, index)
            row[side] = own | {"calibration_error": errors.get((side, index))}
        row["shift"] = _shift(records, index, confidence)
        row["offset"] = _offset(records, index, confidence)
        if index:
            finding = find(row, command, named)
            row["finding"], row["explanation"] = finding.name, finding.explanation
            row["advice"] = [
                {"try": own.what, "because": own.why, "command": own.command or None}
                for own in finding.advice
            ]
        else:
            row |= {"finding": None, "explanation": "", "advice": []}
        rows.append(row)
    return {
        "classes": rows,
        "cases": {side: sum(one.side == side for one in records) for side in SIDES},
        "patients": {side: len({r.patient for r in records if r.side == side}) for side in SIDES},
        "folds": sorted({one.fold for one in records}),
        "confidence": confidence,
        "labels": {"regions": scheme.regions, "ignore": scheme.ignore, "paint": scheme.paint},
        "notes": [],
    }


def patient_values(records: Records, side: str, index: int, value: Value) -> dict[str, float]:
    """A value of a class for each patient of a side who has one: the mean over own cases."""
    found = defaultdict(list)
    for one in records:
        if one.side == side and not math.isnan(own := value(one.classes[index])):
            found[one.patient].append(own)
    return {patient: math.fsum(own) / len(own) for patient, own in sorted(found.items())}


def _side(records: Records, side: str, index: int) -> dict[str, Any]:
    cases = [one for one in records if one.side == side]
    having = [one for one in cases if one.classes[index].voxels]
    without = [one.classes[index] for one in cases if not one.classes[index].voxels]
    row: dict[str, Any] = {
        "cases": len(having),
        "patients": len({one.patient for one in having}),
    }
    for name, value in VALUES.items():
        row[name] = _mean(list(patient_values(records, side, index, value).values()))
    row["cases_without"] = len(without)
    row["false_alarms"] = _mean([float(one.predicted > 0) for one in without])
    if index:
        lesions = [lesion for one in cases for lesion in one.classes[index].lesions]
        row["lesions"] = len(lesions)
        row["lesions_detected"] = _mean([float(one["detected"]) for one in lesions])
        row["false_alarms_per_case"] = _mean(
            [float(one.classes[index].false_alarms) for one in cases]
        )
    return row


def _shift(records: Records, index: int, confidence: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for start, name in (("", "margin_mean"), ("median_", "margin_median")):
        sides = [patient_values(records, side, index, VALUES[name]) for side in SIDES]
        gap = difference_of_sides(sides[0], sides[1], confidence)
        found |= {
            f"{start}difference": known(gap.mean),
            f"{start}low": known(gap.low),
            f"{start}high": known(gap.high),
        }
    return found


def offset_dice(records: Records, index: int) -> dict[str, Any]:
    """Dice at each offset, (65,), of each unseen patient who has the class."""
    found = defaultdict(list)
    for one in records:
        own = one.classes[index]
        if one.side == "unseen" and own.offsets is not None and own.voxels:
            found[one.patient].append(own.offsets.dice(own.voxels))
    return {patient: np.mean(own, axis=0) for patient, own in sorted(found.items())}


def _offset(records: Records, index: int, confidence: float) -> dict[str, Any]:
    names = ("value", "dice_gain", "low", "high", "best_dice")
    curves = offset_dice(records, index) if index else {}
    table = np.array(list(curves.values())).reshape(-1, len(OFFSETS))
    found = cross_fitted_gain(table, confidence)
    return dict(zip(names, map(known, found), strict=True))


def _rare(scheme: Scheme, records: Records) -> list[int]:
    whole = sum(one.voxels for one in records)
    shares = [
        ratio(sum(one.classes[index].voxels for one in records), whole)
        for index in range(len(scheme.names))
    ]
    return [index for index, share in enumerate(shares) if index and share < RARE]


def _calibration(scheme: Scheme, records: Records) -> dict[tuple[str, int], float]:
    frame = calibration_table(scheme, records)
    if frame.empty:
        return {}
    errors = calibration_errors(frame)
    return {
        (side, int(index)): float(error)
        for side, index, error in zip(errors["side"], errors["class"], errors["ece"], strict=True)
    }


def calibration_table(scheme: Scheme, records: Records) -> pd.DataFrame:
    """Bins of each class and side, over the voxels of all cases."""
    frames = []
    for side in SIDES:
        for index in range(len(scheme.names)):
            own = [one.classes[index].calibration for one in records if one.side == side]
            bins = [each for each in own if each is not None]
            if bins:
                sums = np.sum(bins, axis=0)
                columns = dict(zip(("count", "sum_confidence", "sum_positive"), sums, strict=True))
                places = np.arange(CALIBRATION_BINS)
                frames.append(
                    pd.DataFrame({"side": side, "class": index, "bin": places, **columns})
                )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def known(value: float) -> float | None:
    """The number, or None where there is none."""
    return float(value) if math.isfinite(value) else None


def _mean(values: Sequence[float]) -> float | None:
    return known(math.fsum(values) / len(values)) if values else None
