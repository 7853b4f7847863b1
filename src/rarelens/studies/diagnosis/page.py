"""The page of a diagnosis, self-contained: answer first, then numbers, figures, what to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from rarelens.studies.diagnosis import figures
from rarelens.studies.diagnosis.findings import SATURATED, TOLERATED, WORTH
from rarelens.studies.diagnosis.record import CaseRecord
from rarelens.studies.diagnosis.results import VALUES
from rarelens.studies.diagnosis.scheme import Scheme
from rarelens.studies.diagnosis.tables import tables
from rarelens.studies.files import write_json, write_text
from rarelens.studies.reporting.number_text import NONE, interval, number, signed
from rarelens.studies.reporting.style import styled
from rarelens.studies.spreadsheet import to_csv
from rarelens.studies.tables.check import check_rows
from rarelens.studies.tables.diagnosis import DIAGNOSIS

Row = Mapping[str, Any]


def write_diagnosis(
    folder: Path, result: Mapping[str, Any], scheme: Scheme, records: Sequence[CaseRecord]
) -> None:
    """Write ``index.html``, ``diagnosis.json`` and the tables.

    Raises:
        RarelensError: if one of them is a symbolic link, or a table is not as it was declared.
    """
    found = tables(scheme, records)
    check_rows({f"{name}.csv": own for name, own in found.items() if len(own)}, DIAGNOSIS)
    for name, table in found.items():
        text = to_csv(table, index=False, float_format="%.8g", lineterminator="\n")
        write_text(folder / f"{name}.csv", text)
    write_json(folder / "diagnosis.json", result)
    write_text(folder / "index.html", _render(result, records, found["lesion_sizes"]))


def _render(result: Mapping[str, Any], records: Sequence[CaseRecord], sizes: pd.DataFrame) -> str:
    environment = Environment(
        # The look is the report's.
        loader=ChoiceLoader(
            [PackageLoader("rarelens", f"studies/{own}") for own in ("diagnosis", "reporting")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = result["classes"]
    ordered = sorted(rows, key=lambda row: (not row["rare"], row["index"] == 0))
    with styled():
        pictures = _pictures(ordered, rows, records)
    return environment.get_template("page.html.j2").render(
        result=result,
        classes=len(rows) - 1,
        groups=_groups(ordered),
        rows=[_numbers(row) for row in ordered],
        lesions=[_sizes(row) for row in sizes.to_dict("records")],
        pictures=pictures,
        both=bool(result["cases"]["train"]),
        scores=any(row["unseen"]["margin_mean"] is not None for row in rows),
        saturated=any((row["unseen"]["saturated"] or 0) > SATURATED for row in rows),
        limits={"tolerated": TOLERATED, "worth": WORTH, "saturated": SATURATED},
    )


def _groups(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Classes with the same finding and advice together; those that do not fail last."""
    found: dict[Any, dict[str, Any]] = {}
    for row in rows:
        if row["index"]:
            key = (row["finding"], tuple((each["try"], each["command"]) for each in row["advice"]))
            empty = {"finding": row["finding"], "advice": row["advice"], "rows": []}
            found.setdefault(key, empty)["rows"].append(row)
    return sorted(found.values(), key=lambda group: group["finding"] == "no failure")


def _pictures(
    ordered: Sequence[Row], rows: Sequence[Row], records: Sequence[CaseRecord]
) -> list[dict[str, str]]:
    drawn: list[tuple[str, str, Figure | None]] = [
        (
            "Logit shift of every class",
            "Dot: mean margin of unseen patients minus that of training patients; bar: interval "
            "over patients. Left of the line, voxels of new patients lie nearer the decision "
            "boundary, or further beyond it. Rare classes in orange.",
            figures.shift_figure(ordered),
        ),
        (
            "Margins, training beside unseen",
            "How far the voxels of each class are from the decision boundary; left of it they are "
            "misclassified. Each case has one vote. Triangle: mean over patients.",
            figures.margins_figure(ordered, records),
        ),
        (
            "What moving the boundary would do",
            "Dice of the class in unseen patients, with an offset on its logit. Where the curve is "
            "highest at 0, no threshold helps.",
            figures.offsets_figure(rows, records),
        ),
    ]
    return [
        {"title": title, "caption": caption, "data": figures.embedded(figure)}
        for title, caption, figure in drawn
        if figure is not None
    ]


def _numbers(row: Row) -> dict[str, Any]:
    """What the table says of a class."""
    shift, offset = row["shift"], row["offset"]
    return {
        "name": row["name"],
        "rare": row["rare"],
        "finding": row["finding"] or NONE,
        "sides": [_side(row[side], side) for side in ("train", "unseen") if row[side]["cases"]],
        "shift": _signed(shift["difference"], 2),
        "shift_interval": _interval(shift, 2),
        "offset": _signed(offset["value"], 2),
        "gain": _signed(offset["dice_gain"], 3),
        "gain_interval": _interval(offset, 3),
    }


def _side(side: Row, name: str) -> dict[str, str]:
    shares = ("misclassified", "saturated", "missed")
    shown = {key: _percent(side[key]) for key in shares}
    shown |= {key: _number(side[key]) for key in VALUES if key not in shares}
    shown["calibration_error"] = _number(side["calibration_error"], 4)
    return shown | {"name": name, "patients": str(side["patients"])}


def _sizes(row: Mapping[Any, Any]) -> dict[str, str]:
    return {
        "class": row["class"],
        "side": row["side"],
        "quarter": str(row["quarter"]),
        "size": f"{row['from']:.4g} to {row['to']:.4g}",
        "lesions": str(row["lesions"]),
        "detected": _percent(row["detected"]),
        "dice": _number(row["dice"]),
        "margin": signed(row["margin"], 2),
    }


def _interval(values: Row, digits: int) -> str:
    known = values["low"] is not None
    return interval(values["low"], values["high"], digits) if known else ""


def _signed(value: float | None, digits: int) -> str:
    return NONE if value is None else signed(value, digits)


def _number(value: float | None, digits: int = 3) -> str:
    return NONE if value is None else number(value, digits)


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{value:.1%}"
