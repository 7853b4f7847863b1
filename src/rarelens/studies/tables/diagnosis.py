"""The tables of a diagnosis."""

from __future__ import annotations

from rarelens.studies.tables.columns import flag, number, share, table, text, whole
from rarelens.studies.tables.shared import Columns

SIDE: Columns = {"side": text("trained on, or not", "train", "unseen")}
CLASS: Columns = {"class": text("its name")}
PLACE: Columns = {
    "case": text("its name"),
    "patient": text("whose it is"),
    **SIDE,
    "fold": text("of the cross-validation, if it is one"),
}

DIAGNOSIS = {
    "cases.csv": table(
        "a row for each case and class",
        {
            **PLACE,
            **CLASS,
            "voxels": whole("of the truth", 0),
            "predicted": whole("voxels", 0),
            "margin_mean": number("in logits", missing=True),
            "margin_median": number("in logits", missing=True),
            "misclassified": share("of the class's voxels", missing=True),
            "saturated": share("of these, with a margin that is only a bound", missing=True),
            "dice": share("", missing=True),
            "sensitivity": share("", missing=True),
            "precision": share("", missing=True),
            "volume_ratio": number("predicted over true", 0, missing=True),
            "missed": share("1 where nothing of it was predicted", missing=True),
            "false_alarms": whole("predicted components without a voxel of a lesion", 0),
        },
        ["case", "side", "fold", "class"],
    ),
    "lesions.csv": table(
        "a row for each component of the truth",
        {
            **PLACE,
            **CLASS,
            "lesion": whole("its number in the case, from 1", 1),
            "voxels": whole("", 1),
            "volume": number("mm³", 0),
            "detected": flag("any voxel of it was predicted"),
            "iou": share("with all predicted components that share a voxel with it, whole"),
            "dice": share("the same"),
            "margin": number("mean over its voxels, in logits", missing=True),
        },
        ["case", "side", "fold", "class", "lesion"],
    ),
    "lesion_sizes.csv": table(
        "lesions by quarter of their volume; the quarters are those of a class's unseen lesions",
        {
            **CLASS,
            "quarter": whole("from 1, the smallest, to 4", 1),
            **SIDE,
            "from": number("mm³", 0),
            "to": number("mm³", 0),
            "lesions": whole("", 1),
            "detected": share("of these"),
            "dice": share("mean over them"),
            "margin": number("mean over them, in logits", missing=True),
        },
        ["class", "quarter", "side"],
    ),
    "offsets.csv": table(
        "a row for each offset on a class's logit",
        {
            **CLASS,
            "offset": number("on the logit"),
            "dice": share("mean over unseen patients", missing=True),
        },
        ["class", "offset"],
    ),
    "calibration.csv": table(
        "voxels by the probability of a class",
        {
            **SIDE,
            **CLASS,
            "bin": whole("from 0", 0),
            "count": whole("voxels", 0),
            "sum_confidence": number("sum of the probabilities", 0),
            "sum_positive": whole("of these, voxels of the class", 0),
        },
        ["side", "class", "bin"],
    ),
}
