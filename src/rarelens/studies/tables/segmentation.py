"""The tables of the segmentation study."""

from __future__ import annotations

from rarelens.measures.overlap import MEASURES
from rarelens.studies.catalogue.segmentation import SEGMENTATION
from rarelens.studies.tables.columns import (
    flag,
    listed,
    number,
    share,
    table,
    text,
    whole,
)
from rarelens.studies.tables.shared import (
    CLAIM,
    COMPARED,
    CONFIDENCE,
    MEANS,
    METHOD,
    PAIR,
    SEEDS,
    SHIFT,
    UNITS,
    Columns,
    history,
    interval,
)

CASE: Columns = {"case": text("its name")}
SIDE: Columns = {"side": text("what the model took it for", "train", "validation", "test")}
CLASS: Columns = {"class": whole("its label value; 0 is the background", 0)}
PLACE: Columns = {**CASE, **SIDE, **CLASS}
GROUP: Columns = {"group": text("the patient: cases of one belong together")}
BIN: Columns = {"bin": whole("covers [bin·w, (bin + 1)·w), w = `bin_width` in `extract.json`")}
COUNT: Columns = {"count": whole("voxels", 0)}
HISTORY = history(
    "validation_dice",
    {
        r"margin_(train|validation)_\d+": number(
            "mean margin of the class in fixed patches, in logits", missing=True
        ),
        r"misclassified_(train|validation)_\d+": share(
            "of the class's voxels in them", missing=True
        ),
    },
)
JOINT = table(
    "of all voxels of a side, logits of two classes at once",
    {
        **SIDE,
        **CLASS,
        "foreground": whole("k, the class whose logit is `bin_y`", 1),
        "bin_x": whole("of z₀, in `joint_bin_width` of `extract.json`"),
        "bin_y": whole("of z_k"),
        **COUNT,
    },
    ["side", "class", "foreground", "bin_x", "bin_y"],
)
LESION: Columns = {
    **PLACE,
    "lesion": whole("its number in the case, from 1", 1),
    "voxels": whole("on the case's own grid", 1),
    "volume": number("mm³", 0),
    "detected": flag("any voxel of it was predicted"),
    "iou": share("with all predicted components that share a voxel with it, whole"),
    "dice": share("the same"),
    "margin": number("mean over its voxels, in logits"),
}
LESION_COUNTS = table(
    "per case and foreground class, also where there is none",
    {
        **PLACE,
        "lesions": whole("of the truth", 0),
        "detected": whole("of these, by any voxel", 0),
        "predicted": whole("components of the prediction", 0),
        "false_alarms": whole("of these, without a voxel of a lesion", 0),
    },
    [*PLACE],
)

PREPARED = {
    "cases.parquet": table(
        "a row for each case",
        {
            **CASE,
            **GROUP,
            "split": text("", "pool", "validation", "test", "unused"),
            "digest": text("of its prepared arrays"),
            "shape": listed("voxels, prepared"),
            "spacing": listed("mm, prepared"),
            "voxels": listed("of each class, prepared"),
            "affine": listed("of the prepared grid, sixteen numbers row by row"),
            "source_shape": listed("of the file"),
            "source_affine": listed("of the file, its axes turned to RAS+"),
        },
        ["case"],
    )
}
MODEL = {"history.csv": HISTORY}
EXTRACT = {
    "cases.parquet": table("the cases that were predicted", {**CASE, **SIDE}, ["case"]),
    "moments.parquet": table(
        "sums over the voxels of a case and true class, exact",
        {
            **PLACE,
            "quantity": text("", "margin"),
            "count": whole("voxels", 0),
            "sum": number("of the margins, in logits"),
            "sum_squares": number("of the margins", 0),
            "negative": whole("voxels with a margin below 0, which are misclassified", 0),
        },
        [*PLACE, "quantity"],
    ),
    "histograms.parquet": table(
        "counts of voxels by their margin and by each logit",
        {
            **PLACE,
            "quantity": text("`margin`, or `logit_<class>`"),
            **BIN,
            **COUNT,
        },
        [*PLACE, "quantity", "bin"],
    ),
    "lesions.parquet": table(
        "a row for each lesion of the training and test cases", LESION, [*PLACE, "lesion"]
    ),
    "lesion_counts.parquet": LESION_COUNTS,
    "joint.parquet": JOINT,
    "calibration.parquet": table(
        "voxels by the probability of a class",
        {
            **PLACE,
            "bin": whole("of `extract.segmentation.calibration_bins`, from 0", 0),
            **COUNT,
            "sum_confidence": number("sum of the probabilities", 0),
            "sum_positive": whole("of these, voxels of the class", 0),
        },
        [*PLACE, "bin"],
    ),
    "sample.parquet": table(
        "a bounded, seeded sample of voxels",
        {
            **PLACE,
            "x": whole("its place on the case's own grid, RAS+", 0),
            "y": whole("", 0),
            "z": whole("", 0),
            r"z_\d+": number("logit of a class"),
        },
    ),
    "units/tiles.parquet": table(
        "the patches on which units are looked into",
        {
            "tile": whole("its row in the arrays beside", 0),
            **CASE,
            **GROUP,
            "centre": whole("class of the voxel that it is centred on, or −1", -1),
        },
        ["tile"],
    ),
    "history.csv": HISTORY,
}
ANALYSIS = {
    "shift.parquet": table(
        "how the margins of a class differ between test and training cases; all voxels of a side "
        "together",
        {**CLASS, "class_name": text("its name"), **SHIFT},
        ["class", "statistic"],
    ),
    "shift_by_case.parquet": table(
        "the margins of a case and true class",
        {
            **PLACE,
            "count": whole("voxels", 0),
            "mean": number("margin, in logits"),
            "negative_fraction": share("of voxels that are misclassified"),
        },
        [*PLACE],
    ),
    "subjects.parquet": table("whose cases belong together", {**CASE, **SIDE, **GROUP}, ["case"]),
    "overlap.parquet": table(
        "a row for each test case, foreground class and rule",
        {
            **CASE,
            "side": text("", "test"),
            **CLASS,
            "rule": text("all voxels of the class, or one component", "all", "largest_component"),
            **{
                name: number(SEGMENTATION[name].label if name in SEGMENTATION else name)
                for name in MEASURES
            },
            "outcome": text(
                "who has the class: both, truth, none or prediction",
                *("present", "missed", "absent", "false_alarm"),
            ),
            "truth_voxels": whole("on the case's own grid", 0),
            "predicted_voxels": whole("by this rule", 0),
        },
        ["case", "class", "rule"],
    ),
    "lesions.parquet": table(
        "those of the extract",
        {
            **{name: LESION[name] for name in [*LESION][: [*LESION].index("dice")]},
            "detected_iou": flag("`iou` is above `analyse.segmentation.lesion_iou`"),
            **{name: LESION[name] for name in ("dice", "margin")},
        },
        [*PLACE, "lesion"],
    ),
    "lesion_counts.parquet": LESION_COUNTS,
    "calibration.parquet": table(
        "a row for each side and class",
        {**SIDE, **CLASS, "ece": share("expected calibration error", missing=True)},
        ["side", "class"],
    ),
    "margins.parquet": table(
        "histograms of margins, the cases of a side together",
        {**SIDE, **CLASS, **BIN, **COUNT},
        ["side", "class", "bin"],
    ),
    "dissection.parquet": table(
        "a row for each unit and rare class; none where there are no units",
        UNITS,
        ["layer", "unit", "class"],
    ),
    "joint.parquet": JOINT,
    "history.csv": HISTORY,
}
SUBJECTS: Columns = {
    "subjects": whole(
        "how many have a value (in `*_train` rows, the different training subjects of all seeds; "
        "in `shift_mean`, test patients with the class); 0 where a measure is of all subjects "
        "pooled, which then has no interval",
        0,
    )
}
METRICS = {
    "segmentation.csv": table(
        "a row for each class, rule and measure of a method",
        {
            **COMPARED,
            **METHOD,
            "class": text("its name"),
            "rule": text("all voxels of the class, or one component", "all", "largest_component"),
            "measure": text("above"),
            **MEANS,
            "wins": whole(
                "subjects on which the method is better than the baseline: larger overlap or "
                "margin, smaller distance or share of errors, volume ratio nearer 1; 0 for shifts",
                0,
            ),
            "ties": whole("equal to it", 0),
            "losses": whole("worse", 0),
            **SUBJECTS,
            **SEEDS,
            "rare": flag("whether the class is one of the rare ones"),
        },
        [*COMPARED, "method", "class", "rule", "measure"],
    ),
    "segmentation_pairs.csv": table(
        "a row for each pair of methods, class and headline measure, by rule `all`",
        {
            **COMPARED,
            **PAIR,
            "class": text("its name"),
            "measure": text("as above"),
            "value_a": number("the one's mean", missing=True),
            "value_b": number("the other's", missing=True),
            "difference": number("b minus a, paired by seed and subject", missing=True),
            **interval("the difference", "low", "high"),
            **CONFIDENCE,
            "p": share("two-sided, that the difference is 0", missing=True),
            **CLAIM,
            "p_equivalent": share(
                "of Dice and sensitivity: of two one-sided tests, that they differ by "
                "`compare.equivalence` or more",
                missing=True,
            ),
            **SUBJECTS,
            **SEEDS,
        },
        [*COMPARED, "method_a", "method_b", "class", "measure"],
    ),
}
