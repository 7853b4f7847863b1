"""What each number of the report means, for its reader."""

GLOSSARY = (
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
        "±",
        "The standard deviation of the means of the seeds: how much a repetition of the training "
        "changes the number.",
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
)
