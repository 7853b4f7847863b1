"""The CSV tables of a diagnosis: cases, lesions, lesions by size, offsets, calibration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rarelens.measures.class_offsets import OFFSETS
from rarelens.studies.diagnosis.record import CaseRecord
from rarelens.studies.diagnosis.results import VALUES, calibration_table, offset_dice
from rarelens.studies.diagnosis.scheme import Scheme

QUARTILES = (0.25, 0.5, 0.75)
Records = Sequence[CaseRecord]


def tables(scheme: Scheme, records: Records) -> dict[str, pd.DataFrame]:
    """By the name of the file, without ending."""
    lesions = pd.DataFrame(_lesions(scheme, records))
    calibration = calibration_table(scheme, records)
    if not calibration.empty:
        calibration["class"] = [scheme.names[index] for index in calibration["class"]]
    return {
        "cases": pd.DataFrame(_cases(scheme, records)),
        "lesions": lesions,
        "lesion_sizes": lesion_sizes(lesions),
        "offsets": pd.DataFrame(_offsets(scheme, records)),
        "calibration": calibration,
    }


def lesion_sizes(lesions: pd.DataFrame) -> pd.DataFrame:
    """Lesions by quarter of their volume; the quarters are those of a class's unseen lesions.

    Returns:
        class, quarter (1, the smallest, to 4), side; from, to (mm³), lesions, detected, dice and
        margin: means over lesions.
    """
    if lesions.empty:
        return pd.DataFrame()
    rows = []
    for name, own in lesions.groupby("class", sort=False):
        reference = own.loc[own["side"] == "unseen", "volume"]
        edges = np.quantile(reference if len(reference) else own["volume"], QUARTILES)
        quarter = 1 + np.searchsorted(edges, own["volume"])
        for (number, side), part in own.groupby([quarter, "side"]):
            rows.append(
                {
                    "class": name,
                    "quarter": number,
                    "side": side,
                    "from": part["volume"].min(),
                    "to": part["volume"].max(),
                    "lesions": len(part),
                    **{key: part[key].mean() for key in ("detected", "dice", "margin")},
                }
            )
    return pd.DataFrame(rows)


def _cases(scheme: Scheme, records: Records) -> Iterator[dict[str, Any]]:
    for one in records:
        for name, own in zip(scheme.names, one.classes, strict=True):
            yield {
                **_place(one),
                "class": name,
                "voxels": own.voxels,
                "predicted": own.predicted,
                **{key: value(own) for key, value in VALUES.items()},
                "false_alarms": own.false_alarms,
            }


def _lesions(scheme: Scheme, records: Records) -> Iterator[dict[str, Any]]:
    for one in records:
        for name, own in zip(scheme.names, one.classes, strict=True):
            for lesion in own.lesions:
                yield {**_place(one), **lesion, "class": name}


def _offsets(scheme: Scheme, records: Records) -> Iterator[dict[str, Any]]:
    """Mean Dice of unseen patients at each offset."""
    for index, name in enumerate(scheme.names[1:], start=1):
        curves = list(offset_dice(records, index).values())
        if curves:
            for offset, dice in zip(OFFSETS, np.mean(curves, axis=0), strict=True):
                yield {"class": name, "offset": offset, "dice": dice}


def _place(one: CaseRecord) -> dict[str, Any]:
    return {"case": one.case, "patient": one.patient, "side": one.side, "fold": one.fold}
