"""What each number of the report means, for its reader."""

from __future__ import annotations

from collections.abc import Collection

Terms = list[tuple[str, str]]

DETECTOR = (
    "Detector",
    "A unit (channel of a named layer) whose strongest activations overlap the regions of a "
    "finding or rare class with an IoU above the threshold of network dissection (counts: mean "
    "over seeds). Beyond null: the overlap is also above what permuted regions give, and a set "
    "share of the largest that the region's size allows. Best IoU: the highest of a layer's units.",
)

SEGMENTATION: Terms = [
    (
        "Logit margin d",
        "For a voxel whose true class is c: the logit of c minus the largest logit of any other "
        "class. Where d is above 0 the voxel is classified correctly, below 0 it is not; d = 0 is "
        "the decision boundary. It has the unit of logits (natural logarithm of odds).",
    ),
    (
        "Logit shift",
        "The mean margin of test subjects minus that of training subjects, each subject counted "
        "once. A negative shift of a rare class with a background that stays is overfitting "
        "under class imbalance: the network has learnt the rare voxels it has seen. Its interval "
        "holds the training subjects fixed.",
    ),
    (
        "Dice",
        "Twice the overlap of prediction and truth over the sum of their volumes: 0 none, 1 all.",
    ),
    (
        "Sensitivity, precision",
        "The share of true voxels that were found, and the share of predicted voxels that are "
        "true.",
    ),
    (
        "HD95",
        "The 95th percentile of the distances between the two surfaces, in millimetres; smaller "
        "is better. A structure that is missed altogether counts with the diagonal of the volume.",
    ),
    (
        "Missed",
        "The share of test subjects who have the structure and in whom not one voxel of it was "
        "predicted. They stay in every mean, with a defined value.",
    ),
    (
        "Interval",
        "A bootstrap interval over seeds, then over subjects; every method is drawn on the same "
        "seeds and subjects.",
    ),
    (
        "Difference",
        "Method minus baseline, paired: the same seed (thus the same training subjects), the same "
        "test subject.",
    ),
    (
        "p (Holm)",
        "Wilcoxon's signed-rank test on the differences of the subjects (each the mean over "
        "seeds), corrected by Holm for the number of methods. With fewer than three seeds it says "
        "nothing about the methods, only about these runs.",
    ),
    (
        "Win / tie / loss",
        "On how many test subjects the method's Dice is above, equal to and below the baseline's.",
    ),
    DETECTOR,
]

CLASSIFICATION: Terms = [
    (
        "AUROC",
        "The chance that a test image with the finding scores higher than one without: 0.5 is "
        "guessing, 1 is perfect. It does not fall with prevalence. The mean is over classes.",
    ),
    (
        "AP, AP / prevalence",
        "Average precision, the area under precision over recall. Guessing gives the prevalence, "
        "so AP / prevalence says how many times better than guessing; rare findings have a low "
        "AP even where they are found well.",
    ),
    (
        "Head, mid, tail",
        "Classes parted by their prevalence in the training images: frequent, in between, rare; "
        "undefined where no class falls there.",
    ),
    (
        "Undefined",
        "A number that does not exist: for example AUROC of a class of which the test images are "
        "all positive or all negative. It enters no mean and stands for neither 0 nor a guess.",
    ),
    (
        "ECE",
        "Expected calibration error: how far the predicted probabilities lie from the observed "
        "shares, on average over bins with equally many images; 0 is best. Calibrated: after a "
        "correction that is fitted on validation images.",
    ),
    (
        "Saliency map",
        "Which places of an image speak for a finding, by the first attribution method of the "
        "study, one map per image and present finding. Each is scaled to 0 to 1; a map that is 0 "
        "everywhere stays so and counts.",
    ),
    (
        "Energy inside",
        "The share of a saliency map's total that lies within the finding's boxes or masks. A "
        "uniform map scores the share of the image that they cover.",
    ),
    (
        "Pointing game",
        "The share of images in which the map's highest point lies within the finding.",
    ),
    (
        "Soft IoU",
        "Overlap of map and finding over their union, with the map's values as grades of "
        "membership; 1 is a map equal to the mask.",
    ),
    (
        "Controls",
        "The same measures for maps that know nothing of the finding: from the same network with "
        "random weights, a blob at the image's centre, and the same value everywhere. Alignment "
        "is evidence only as far as it exceeds them.",
    ),
    DETECTOR,
    (
        "Unique concepts",
        "How many different findings have at least one detector.",
    ),
    (
        "Effective rank",
        "How many directions the features of the last named layer use: the exponential of the "
        "entropy of the singular values of the centred features.",
    ),
    (
        "Linear probe",
        "AUROC of a new linear classifier on the frozen features of the last named layer. Where "
        "it is alike although AUROC differs, the classifier changed rather than the features.",
    ),
    (
        "CKA",
        "Centred kernel alignment: how alike two networks arrange the same images, whatever the "
        "order or rotation of their units; 1 is the same. Noise floor: between two seeds of the "
        "same method. Two methods differ where all CKAs between them are below all of these.",
    ),
    (
        "Logit margin and shift of a label",
        "The logit where the finding is present, the negated logit where it is absent: above 0 the "
        "image is on its label's side. The shift is the mean margin of test images minus that "
        "of training images.",
    ),
    (
        "Interval of a classifier",
        "For AUROC, AP and alignment a bootstrap interval over seeds and patients (all images of "
        "one are drawn together), every method on the same ones. For counts of units, effective "
        "rank and linear probe Student's t over seeds, from three seeds on.",
    ),
    (
        "Difference, p (Holm) of classifiers",
        "Method minus baseline (or first minus second of a pair), paired by seed and patient; p "
        "corrected by Holm for the number of comparisons. With fewer than three seeds it says "
        "nothing about the methods, only about these runs.",
    ),
]

SHARED: Terms = [
    (
        "±",
        "The standard deviation of the means of the seeds: how much a repetition of the training "
        "changes the number.",
    ),
]

TERMS = {"segmentation": SEGMENTATION, "classification": CLASSIFICATION}


def glossary(tasks: Collection[str]) -> Terms:
    """The terms of the studies that the page shows, each once."""
    return list(dict.fromkeys([*SHARED, *(term for task in tasks for term in TERMS[task])]))
