"""The measures of a segmentation study."""

from __future__ import annotations

from collections.abc import Mapping

from rarelens.studies.catalogue.measure import Measure, Term

_FOUND = Term(
    "Sensitivity, precision",
    "The share of true voxels that were found, and the share of predicted voxels that are true.",
)
_SHIFT = Term(
    "Logit shift",
    "The mean margin of test subjects minus that of training subjects, each subject counted "
    "once. A negative shift of a rare class with a background that stays is overfitting "
    "under class imbalance: the network has learnt the rare voxels it has seen. Its interval "
    "is over trainings, training and test subjects.",
)
_MARGIN = Term(
    "Logit margin d",
    "For a voxel whose true class is c: the logit of c minus the largest logit of any other "
    "class. Where d is above 0 the voxel is classified correctly, below 0 it is not; d = 0 is "
    "the decision boundary. It has the unit of logits (natural logarithm of odds).",
)
_LESIONS = Term(
    "Lesions",
    "A lesion is a connected component of a class in the truth. It is detected if any voxel of it "
    "was predicted, or, by IoU, if the predicted components that touch it overlap it by more than "
    "a set IoU. A false alarm is a predicted component that touches no lesion. F1: D / (D + "
    "(missed + false alarms) / 2) of a subject with D detected lesions. Means are over the lesions "
    "of a subject, then over the subjects who have any.",
)
_SIZE = Term(
    "Lesions by size",
    "Lesions of the smallest (q1) to the largest (q4) quarter of the volumes of a class in the "
    "test subjects; the same quarters for all methods.",
)
SEGMENTATION: Mapping[str, Measure] = {
    # Margins and shift of a class, of its voxels in each subject.
    "margin_train": Measure("margin, training", "larger", 2, signed=True, term=_MARGIN),
    "margin_test": Measure("margin, test", "larger", 2, signed=True, term=_MARGIN),
    "shift_mean": Measure(
        "shift", "zero", 2, signed=True, headline=True, claimed=True, term=_SHIFT
    ),
    "negative_fraction_train": Measure("misclassified, training", "smaller", headline=True),
    "negative_fraction_test": Measure("misclassified, test", "smaller", headline=True),
    # Overlap of each test subject.
    "dice": Measure(
        "Dice",
        "larger",
        headline=True,
        claimed=True,
        term=Term(
            "Dice",
            "Twice the overlap of prediction and truth over the sum of their volumes: 0 none, "
            "1 all.",
        ),
    ),
    "sensitivity": Measure("sensitivity", "larger", headline=True, claimed=True, term=_FOUND),
    "precision": Measure("precision", "larger", headline=True, term=_FOUND),
    "specificity": Measure("specificity", "larger"),
    "volume_ratio": Measure("volume ratio", "one"),
    "hd95": Measure(
        "HD95",
        "smaller",
        1,
        unit="mm",
        headline=True,
        term=Term(
            "HD95",
            "The 95th percentile of the distances between the two surfaces, in millimetres; "
            "smaller is better. A structure that is missed altogether counts with the diagonal of "
            "the volume.",
        ),
    ),
    "assd": Measure("average surface distance", "smaller", 2, unit="mm"),
    "surface_dice": Measure("surface Dice", "larger"),
    "missed": Measure(
        "missed",
        "smaller",
        0,
        percent=True,
        headline=True,
        term=Term(
            "Missed",
            "The share of test subjects who have the structure and in whom not one voxel of it was "
            "predicted. They stay in every mean, with a defined value.",
        ),
    ),
    "false_alarm": Measure(
        "false alarm",
        "smaller",
        0,
        percent=True,
        headline=True,
        term=Term(
            "False alarm",
            "The share of test subjects who do not have the structure and in whom some of it was "
            "predicted. Overlap and distances are those of the subjects who have it.",
        ),
    ),
    # Lesions of each test subject.
    "lesion_detected": Measure("lesions detected", "larger", headline=True, term=_LESIONS),
    "lesion_detected_iou": Measure("lesions detected by IoU", "larger", term=_LESIONS),
    "lesion_f1": Measure("lesion F1", "larger", headline=True, term=_LESIONS),
    "false_alarms": Measure("false alarms a subject", "smaller", 2, headline=True, term=_LESIONS),
    **{
        f"lesion_{name}_q{quartile}": Measure(f"{title}, q{quartile}", "larger", term=_SIZE)
        for name, title in (("detected", "lesions detected"), ("dice", "lesion Dice"))
        for quartile in (1, 2, 3, 4)
    },
    **{
        f"lesion_margin_q{quartile}": Measure(
            f"lesion margin, q{quartile}", "larger", 2, signed=True, term=_SIZE
        )
        for quartile in (1, 2, 3, 4)
    },
    # Of the voxels of all subjects together.
    "shift_median": Measure("shift of the median", "zero", 2, signed=True, pooled=True),
    "shift_standardised": Measure("standardised shift", "zero", 2, signed=True, pooled=True),
    "shift_wasserstein": Measure("Wasserstein distance", "smaller", 2, pooled=True),
    "ece_train": Measure("ECE, training", "smaller", pooled=True),
    "ece_test": Measure("ECE", "smaller", headline=True, pooled=True),
}
