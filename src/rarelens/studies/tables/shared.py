"""Columns, and tables, that both studies have."""

from __future__ import annotations

from collections.abc import Mapping

from rarelens.studies.tables.columns import Column, Table, flag, number, share, table, text, whole

Columns = Mapping[str, Column]

COMPARED: Columns = {
    "dataset": text("of `params.yaml`"),
    "network": text("of `params.yaml`"),
    "fraction": text("share of the training pool that is trained on"),
}
SEEDS: Columns = {
    "seeds": whole("how many have a value", 0),
    "sufficient_seeds": flag("at least three: below that, no claim is made"),
}
CLAIM: Columns = {
    "p_holm": share("p after Holm's correction over all claims of the page", missing=True),
    "claim": flag("whether the report claims it; missing of what is no claim", missing=True),
}
CONFIDENCE: Columns = {"confidence": share("level of the intervals")}


def interval(of: str, low: str = "ci_low", high: str = "ci_high") -> Columns:
    """The two ends of an interval."""
    return {
        low: number(f"lower end of the interval of {of}", missing=True),
        high: number("its upper end", missing=True),
    }


SHIFT: Columns = {
    "statistic": text(
        "of the margins: `mean`, `median`, quantile `q05` to `q95`, `negative_fraction` (share of "
        "misclassified), `standardised_difference`, `wasserstein`"
    ),
    "train": number("its value on the training side, in logits or a share", missing=True),
    "test": number("its value on the test side", missing=True),
    "difference": number(
        "test minus training; of measures of both sides, the measure", missing=True
    ),
    **interval("the difference, over resampled patients of this one model"),
}
UNITS: Columns = {
    "layer": text("of `layers.<network>.units`"),
    "unit": whole("a channel of the layer", 0),
    "class": whole("its label, from 0 for the first finding; of volumes, its label value", 0),
    "iou": share("of the unit's strongest activations with the class's regions"),
    "ceiling": share("the largest IoU that the regions' sizes allow"),
    "iou_over_ceiling": number("the one over the other", 0, missing=True),
    "null": share(
        "IoU that masks exchanged between patients stay below, at `null_level`", missing=True
    ),
    "p": share("that the exchanged reach this IoU", missing=True),
    "p_corrected": share("the same over all units and classes of the layer", missing=True),
    "threshold": number("activation above which a pixel counts", missing=True),
    "coverage": share("of all pixels, above the threshold"),
    "dead": flag("the unit is never active"),
    "detects": flag("the class is its best, with an IoU above `analyse.<task>.iou_threshold`"),
    "detects_beyond_null": flag("above ceiling and null: the rule of the report"),
}
SIGNS = ("positive", "negative")


def history(score: str, further: Columns) -> Table:
    """Of ``history.csv``: a row for each epoch."""
    return table(
        "a row for each epoch of the training",
        {
            "step": whole("batches so far", 1),
            "loss": number("mean since the row before"),
            "learning_rate": number("at the end of the epoch", 0, missing=True),
            score: share("of the validation", missing=True),
            **further,
        },
        ["step"],
    )


CELLS = {
    "cells.csv": table(
        "a row for each model of the study",
        {
            "task": text("the study", "segmentation", "classification"),
            **COMPARED,
            "method": text("of `params.yaml`; `base+adjustment` where one is applied"),
            "seed": whole("of the drawing of patients, of the weights and of the batches", 0),
        },
        ["task", "dataset", "network", "method", "fraction", "seed"],
    )
}
METHOD: Columns = {
    "method": text("of `params.yaml`; `base+adjustment` where one is applied"),
    "baseline": text("the method that it is compared with"),
}
PAIR: Columns = {
    "method_a": text("the one method"),
    "method_b": text("the other; of an asymmetric method and its symmetric form, the former"),
}
MEANS: Columns = {
    "mean": number("over seeds and patients", missing=True),
    "sd_over_seeds": number("spread of the seeds' means", 0, missing=True),
    **interval("the mean, for the next training and the next patient"),
    **CONFIDENCE,
    "baseline_difference": number("to the baseline, paired by seed and patient", missing=True),
    **interval("the difference", "difference_low", "difference_high"),
    "p": share(
        "two-sided, that the difference is 0; in the baseline's rows of `shift_mean`, that its "
        "shift is. None below three seeds, nor where fewer than `compare.least_positives` patients "
        "have the class",
        missing=True,
    ),
    **CLAIM,
}
PLOT: Columns = {**COMPARED, "method": METHOD["method"]}
INTERVAL: Columns = {
    "mean": number("over seeds and patients", missing=True), **interval("the mean")
}  # fmt: skip
PLOTS = {
    "overlap.csv": table(
        "mean overlap of rare structures",
        {**PLOT, "class": text("its name"), "measure": text("of overlap"), **INTERVAL},
        [*PLOT, "class", "measure"],
    ),
    "margins.csv": table(
        "how margins are distributed",
        {
            **PLOT,
            "class": text("its name"),
            "side": text("", "train", "test"),
            "margin": number("the middle of a bin, in logits"),
            "density": number("share of voxels over the bin's width", 0),
        },
        [*PLOT, "class", "side", "margin"],
    ),
    "classification.csv": table(
        "how classifiers perform",
        {
            **PLOT,
            "class": text("its name"),
            "prevalence": share("in the training subset", missing=True),
            "measure": text("of performance"),
            **INTERVAL,
        },
        [*PLOT, "class", "measure"],
    ),
    "prevalence.csv": table(
        "average precision by prevalence",
        {
            **PLOT,
            "class": text("its name"),
            "prevalence": share("in the training subset", missing=True),
            "measure": text("of performance"),
            **INTERVAL,
        },
        [*PLOT, "class", "measure"],
    ),
    "pairs.csv": table(
        "the study's question, pair by pair",
        {
            **COMPARED,
            **PAIR,
            "quantity": text("as in `metrics/classification_pairs.csv`"),
            "layer": text("where it is of one", missing=True),
            "difference": number("a minus b", missing=True),
            **interval("the difference", "low", "high"),
        },
    ),
}
