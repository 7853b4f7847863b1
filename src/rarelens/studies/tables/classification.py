"""The tables of the classification study."""

from __future__ import annotations

from rarelens.studies.tables.columns import flag, listed, number, share, table, text, whole
from rarelens.studies.tables.shared import (
    CLAIM,
    COMPARED,
    CONFIDENCE,
    MEANS,
    METHOD,
    PAIR,
    SEEDS,
    SHIFT,
    SIGNS,
    UNITS,
    Columns,
    history,
    interval,
)

IMAGE: Columns = {"image": text("its name")}
GROUP: Columns = {"group": text("the patient: images of one belong together")}
ROW: Columns = {"row": whole("of the image in `images.npy`", 0)}
SIDE: Columns = {
    "side": text("what the model took it for", "train", "validation", "test", "unused")
}
CLASS: Columns = {"class": whole("from 0, in the order of `dataset.json`", 0)}
ANY_CLASS: Columns = {"class": whole("from 0; −1 where it is of none alone", -1)}
LAYER: Columns = {"layer": text("of `layers.<network>.units`")}
SIGN: Columns = {"sign": text("images that have the finding, or not", *SIGNS)}
HISTORY = history("validation_average_precision", {})
SCORES: Columns = {
    **IMAGE,
    **GROUP,
    **SIDE,
    **ROW,
    r"logit_\d+": number("of a class"),
    r"label_\d+": share("of a class: 1, 0, or missing where it is uncertain", missing=True),
}

PREPARED = {
    "images.parquet": table(
        "a row for each image",
        {
            **IMAGE,
            **GROUP,
            "split": text("", "pool", "validation", "test", "unused"),
            "labels": listed("of each class: 1, 0, or missing where it is uncertain"),
            "width": whole("of the file, in pixels", 1),
            "height": whole("of the file", 1),
            "digest": text("of its prepared pixels"),
            "left": whole("where the image begins in the prepared one"),
            "top": whole(""),
            "scale_x": number("prepared pixels for one of the file", 0),
            "scale_y": number("", 0),
        },
        ["image"],
    ),
    "boxes.parquet": table(
        "a row for each box, in prepared pixels",
        {
            **ROW,
            **CLASS,
            "x": number("its left edge"),
            "y": number("its upper edge"),
            "width": number("", 0),
            "height": number("", 0),
        },
    ),
    "concepts.parquet": table(
        "a row for each mask of `concepts.npy`",
        {
            **ROW,
            **CLASS,
            "area": share("of the image"),
            "source": text("what it was made of", "box", "mask"),
            "digest": text("of the mask"),
        },
        ["row", "class"],
    ),
}
MODEL = {"history.csv": HISTORY}
EXTRACT = {
    "scores.parquet": table("a row for each image", SCORES, ["image"]),
    "probe.parquet": table(
        "the images whose activations are kept", {**IMAGE, **GROUP, **SIDE, **ROW}, ["image"]
    ),
    "saliency.parquet": table(
        "a row for each map: of a probe image and a label present in it",
        {
            "map": whole("its row in `saliency/<method>.npy`", 0),
            **IMAGE,
            **ROW,
            **SIDE,
            **CLASS,
            "concept": whole("its row in `concepts.npy`", 0),
            "logit": number("of the class"),
            r"zero_\w+": flag("of a method, and `_random` of its control: 0 everywhere"),
            r"peak_\w+": number("the maximum that the map was divided by", 0),
        },
        ["map"],
    ),
    "history.csv": HISTORY,
}
ANALYSIS = {
    "prediction.parquet": table(
        "a row for each measure of a class, or of a mean over classes",
        {
            **SIDE,
            **ANY_CLASS,
            "group": text(
                "`class`, or the mean over all, or over those of a prevalence",
                *("class", "mean", "head", "mid", "tail"),
            ),
            "measure": text(
                "`auroc`, `average_precision` and over prevalence, `recall`, `precision` and `f1` "
                "at a threshold fixed on validation images, `brier` and `ece` before and after "
                "correction, the `threshold`, `prevalence`, `positives` and `negatives`"
            ),
            "value": number("of it", missing=True),
            **interval("the value, over resampled patients of this one model"),
            "defined": flag("a class with one sign in a split has no AUROC"),
        },
        ["side", "class", "group", "measure"],
    ),
    "reliability.parquet": table(
        "bins of equal mass for the reliability diagram",
        {
            **CLASS,
            "calibrated": flag("after correction for the class's weight"),
            "bin": whole("from 0", 0),
            "predicted": share("mean probability", missing=True),
            "observed": share("of these images, with the finding", missing=True),
            "count": whole("images", 0),
        },
        ["class", "calibrated", "bin"],
    ),
    "shift.parquet": table(
        "how margins differ between test and training images; the margin is *z* of images with the "
        "finding and −*z* of the others",
        {**CLASS, **SIGN, **SHIFT},
        ["class", "sign", "statistic"],
    ),
    "margins.parquet": table(
        "histograms of margins",
        {
            **SIDE,
            **CLASS,
            **SIGN,
            "bin": whole("covers [bin·w, (bin + 1)·w), w = `bin_width` in `analysis.json`"),
            "count": whole("images", 0),
        },
        ["side", "class", "sign", "bin"],
    ),
    "alignment.parquet": table(
        "a row for each map and measure",
        {
            **IMAGE,
            **GROUP,
            **ROW,
            **SIDE,
            **CLASS,
            "method": text("of saliency"),
            "map": text(
                "of the model, or a control", "model", "random_weights", "centre", "uniform"
            ),
            "measure": text("`@0.5`: of the map made binary there"),
            "value": number("of it", missing=True),
            "logit": number("of the class"),
            "zero": flag("the map is 0 everywhere"),
        },
        ["row", "class", "method", "map", "measure"],
    ),
    "dissection.parquet": table("a row for each unit and class", UNITS, ["layer", "unit", "class"]),
    "components.parquet": table(
        "a row for each layer and concept of the probe set",
        {
            **LAYER,
            **CLASS,
            **SIDE,
            **IMAGE,
            "components": number(
                "8-connected, above a unit's threshold within the region: mean over units", 0
            ),
        },
        ["layer", "class", "image"],
    ),
    "representation.parquet": table(
        "a row for each layer and measure of its features",
        {
            **LAYER,
            "measure": text(
                "", "effective_rank", "nc1", "linear_probe_auroc", "linear_probe_average_precision"
            ),
            **ANY_CLASS,
            "value": number("of it", missing=True),
            "defined": flag("a class with one sign has no probe"),
        },
        ["layer", "measure", "class"],
    ),
    "scores.parquet": table("those of the test side", SCORES, ["image"]),
    "history.csv": HISTORY,
}
METRICS = {
    "classification.csv": table(
        "a row for each class, layer and measure of a method",
        {
            **COMPARED,
            **METHOD,
            "class": text("its name, or `mean`, `head`, `mid`, `tail`"),
            "layer": text("where it is of one", missing=True),
            "measure": text("above"),
            **MEANS,
            "few_positives": whole(
                "classes of the row with fewer than `compare.least_positives`", 0
            ),
            **SEEDS,
        },
        [*COMPARED, "method", "class", "layer", "measure"],
    ),
    "classification_pairs.csv": table(
        "a row for each pair of methods and quantity",
        {
            **COMPARED,
            **PAIR,
            "quantity": text("below"),
            "class": text("its name, or `mean`", missing=True),
            "layer": text("where it is of one", missing=True),
            "value_a": number("the one's mean", missing=True),
            "value_b": number("the other's", missing=True),
            "difference": number("a minus b", missing=True),
            **interval("the difference", "low", "high"),
            "p": share("two-sided, that the difference is 0", missing=True),
            **CLAIM,
            **CONFIDENCE,
            **SEEDS,
        },
    ),
}
