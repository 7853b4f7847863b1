"""The measures of a classification study."""

from __future__ import annotations

from collections.abc import Mapping

from rarelens.studies.catalogue.measure import DETECTOR, Measure, Term

_PRECISION = Term(
    "AP, AP / prevalence",
    "Average precision, the area under precision over recall. Guessing gives the prevalence, "
    "so AP / prevalence says how many times better than guessing; rare findings have a low "
    "AP even where they are found well.",
)
_ECE = Term(
    "ECE",
    "Expected calibration error: how far the predicted probabilities lie from the observed "
    "shares, on average over bins with equally many images; 0 is best. Calibrated: after a "
    "correction that is fitted on validation images.",
)
_LABEL_SHIFT = Term(
    "Logit margin and shift of a label",
    "The logit where the finding is present, the negated logit where it is absent: above 0 the "
    "image is on its label's side. The shift is the mean margin of test images minus that "
    "of training images.",
)
_CONCEPTS = Term(
    "Unique concepts",
    "How many different findings have at least one detector.",
)
_PROBE = Term(
    "Linear probe",
    "AUROC of a new linear classifier on the frozen features of the last named layer. Where "
    "it is alike although AUROC differs, the classifier changed rather than the features.",
)

CLASSIFICATION: Mapping[str, Measure] = {
    "auroc": Measure(
        "AUROC",
        "larger",
        headline=True,
        claimed=True,
        role="performance",
        term=Term(
            "AUROC",
            "The chance that a test image with the finding scores higher than one without: 0.5 is "
            "guessing, 1 is perfect. It does not fall with prevalence. The mean is over classes.",
        ),
    ),
    "average_precision": Measure(
        "AP", "larger", headline=True, claimed=True, role="performance", term=_PRECISION
    ),
    "average_precision_over_prevalence": Measure("AP / prevalence", "larger", 2, term=_PRECISION),
    "f1": Measure("F1", "larger", headline=True),
    "recall": Measure("recall", "larger", headline=True),
    "precision": Measure("precision", "larger"),
    "ece": Measure("ECE", "smaller", headline=True, term=_ECE),
    "ece_calibrated": Measure("ECE, calibrated", "smaller", term=_ECE),
    "brier": Measure("Brier score", "smaller"),
    "brier_calibrated": Measure("Brier score, calibrated", "smaller"),
    # Alignment of saliency maps with findings; also of control maps: see `variant_of`.
    "energy_inside": Measure(
        "energy inside",
        "larger",
        headline=True,
        claimed=True,
        role="alignment",
        term=Term(
            "Energy inside",
            "The share of a saliency map's total that lies within the finding's boxes or masks. A "
            "uniform map scores the share of the image that they cover.",
        ),
    ),
    "pointing_game": Measure(
        "pointing game",
        "larger",
        headline=True,
        claimed=True,
        role="alignment",
        term=Term(
            "Pointing game",
            "The share of images in which the map's highest point lies within the finding.",
        ),
    ),
    "soft_iou": Measure(
        "soft IoU",
        "larger",
        headline=True,
        claimed=True,
        role="alignment",
        term=Term(
            "Soft IoU",
            "Overlap of map and finding over their union, with the map's values as grades of "
            "membership; 1 is a map equal to the mask.",
        ),
    ),
    "iou": Measure("IoU", "larger"),
    "iobb": Measure("IoBB", "larger"),
    "effective_heat_ratio": Measure("effective heat ratio", "larger"),
    # Margins of labels: of positives and of negatives of a class.
    "shift_mean_positive": Measure("shift of positives", "zero", 2, signed=True, term=_LABEL_SHIFT),
    "shift_mean_negative": Measure("shift of negatives", "zero", 2, signed=True, term=_LABEL_SHIFT),
    "shift_standardised_positive": Measure("standardised shift of positives", "zero", signed=True),
    "shift_standardised_negative": Measure("standardised shift of negatives", "zero", signed=True),
    "shift_negative_fraction_positive": Measure(
        "change of misclassified positives", "zero", signed=True
    ),
    "shift_negative_fraction_negative": Measure(
        "change of misclassified negatives", "zero", signed=True
    ),
    # Units and features of a layer.
    "detectors": Measure(
        "detectors", "none", 1, headline=True, claimed=True, role="concepts", term=DETECTOR
    ),
    "unique_concepts": Measure(
        "unique concepts", "none", 1, headline=True, claimed=True, role="concepts", term=_CONCEPTS
    ),
    "detectors_beyond_null": Measure(
        "detectors beyond null", "none", 1, role="concepts", term=DETECTOR
    ),
    "unique_concepts_beyond_null": Measure(
        "unique concepts beyond null", "none", 1, role="concepts", term=_CONCEPTS
    ),
    "dead_units": Measure("dead units", "smaller", 1),
    "components": Measure("components inside", "none", 1),
    "effective_rank": Measure(
        "effective rank",
        "none",
        1,
        role="features",
        term=Term(
            "Effective rank",
            "How many directions the features of the last named layer use: the exponential of the "
            "entropy of the singular values of the centred features.",
        ),
    ),
    "linear_probe_auroc": Measure("linear probe AUROC", "larger", role="features", term=_PROBE),
    "linear_probe_average_precision": Measure("linear probe AP", "larger", term=_PROBE),
    "nc1": Measure("within-class over between-class variance", "none"),
}

# What pairs of classifiers have beside the measures above.
PAIRS: Mapping[str, Measure] = {
    "energy_inside_matched": Measure("energy, matched", "larger"),
    "matched_share": Measure("share of matched maps", "none", 0, percent=True),
    "cka": Measure(
        "CKA",
        "none",
        2,
        term=Term(
            "CKA",
            "Centred kernel alignment: how alike two networks arrange the same images, whatever "
            "the order or rotation of their units; 1 is the same. Noise floor: between two seeds "
            "of the same method. A few seeds allow no test of it.",
        ),
    ),
}
