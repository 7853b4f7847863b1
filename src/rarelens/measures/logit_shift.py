"""Logit shift of anybody's predictions, subject by subject, in memory that voxels do not touch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from rarelens.measures.arrays import Classes, as_array, as_labels, class_names
from rarelens.measures.histograms import Floats
from rarelens.measures.margins import MarginCounts, voxel_margins
from rarelens.measures.shift import Side, draw_subjects, subject_mean_shift, voxel_pooled_shift

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDES = ("train", "test")
BIN_WIDTH = 0.0625
"""Of the histograms, in logits; a power of two, so that edges are exact."""

PLOT_BINS = 50  # About so many are drawn.

ClassShift = TypedDict(
    "ClassShift",
    {
        "class": Any,
        "rare": bool,
        "train_mean": float,
        "test_mean": float,
        "difference": float,
        "low": float,
        "high": float,
        "train_misclassified": float,
        "test_misclassified": float,
        "subjects_train": int,
        "subjects_test": int,
    },
)
"""A row of `LogitShift.compute`."""


class LogitShift:
    r"""Do the logits of a class move towards the decision boundary on unseen subjects?

    The margin of a voxel of true class c is :math:`d = z_c - \max_{k \neq c} z_k`, in logits;
    below 0 it is misclassified. The shift of a class is its margins on test subjects against
    those on training subjects (Li, Kamnitsas, Glocker, IEEE TMI 2021). `compute` gives the
    subject-mean shift, in which each subject has one vote; `compute_pooled` the voxel-pooled one
    (`rarelens.measures.margins` defines both).

    Each class of a subject is kept as exact sums and a fine histogram: memory grows with
    subjects, classes and the range of the margins, not with voxels.

    A finding with one logit z, as of a multi-label classifier, has the logits
    ``np.stack([np.zeros_like(z), z])``; its classes are "absent" and "present".

    Args:
        classes: their names in the order of their labels, or how many there are.
        rare_classes: indices of those that `plot` shows and rows mark as ``rare``; by default no
            class is marked, and all are shown.
        bin_width: of the histograms, in logits.

    Raises:
        ValueError: if there are fewer than two classes, or a rare class is none of them.

    Examples:
        >>> import numpy as np
        >>> shift = LogitShift(["background", "lesion"], rare_classes=[1])
        >>> for subject, side, lesion in [("a", "train", 3.0), ("b", "train", 5.0),
        ...                               ("c", "test", 1.0), ("d", "test", -1.0)]:
        ...     logits = np.array([[2.0, 0.0], [0.0, lesion]])  # (classes, voxels)
        ...     shift.update(logits, np.array([0, 1]), subject, side)
        >>> background, lesion = shift.compute()
        >>> lesion["train_mean"], lesion["test_mean"], lesion["difference"]
        (4.0, 0.0, -4.0)
        >>> lesion["low"], lesion["high"], lesion["test_misclassified"]
        (-6.0, -2.0, 0.5)
    """

    def __init__(
        self,
        classes: Classes,
        rare_classes: Sequence[int] | None = None,
        bin_width: float = BIN_WIDTH,
    ) -> None:
        self.classes = class_names(classes)
        self.rare_classes = tuple(rare_classes or ())
        self.bin_width = bin_width
        if not set(self.rare_classes) <= set(range(len(self.classes))):
            raise ValueError(
                f"rare_classes: {list(self.rare_classes)} are not all indices of the "
                f"{len(self.classes)} classes"
            )
        self._sides: dict[str, str] = {}
        self._counts: dict[tuple[str, int], MarginCounts] = {}

    def update(self, logits: Any, labels: Any, subject: Any, side: str) -> None:
        """Add voxels of a subject; what is fed in parts (patches, cases of a patient) adds up.

        Args:
            logits: (C, *spatial), NumPy or torch, of any float type and device.
            labels: true classes (*spatial), whole numbers below C.
            subject: whose voxels these are; told apart by ``str(subject)``.
            side: "train" for subjects that the network was trained on, "test" for others.

        Raises:
            ValueError: if shapes, number of classes, labels, side or a logit are none of these,
                or the subject is known on the other side; nothing is added then.
        """
        values = as_array(logits)
        if values.dtype != np.float64:
            values = values.astype(np.float32, copy=False)
        count = len(self.classes)
        if values.ndim < 2 or len(values) != count:
            raise ValueError(
                f"logits of shape {values.shape} do not have {count} classes on their first axis: "
                "(C, *spatial) is expected"
            )
        truth = as_labels(labels, count)
        if truth.shape != values.shape[1:]:
            raise ValueError(
                f"labels of shape {truth.shape} do not fit logits of shape {values.shape}: "
                f"{values.shape[1:]} is expected"
            )
        if not np.isfinite(values).all():
            raise ValueError(f"subject {subject}: a logit is not finite (NaN or infinite)")
        self._check_side(str(subject), side)
        flat, truth = values.reshape(count, -1), truth.reshape(-1)
        found = {
            (str(subject), int(label)): MarginCounts.of(
                voxel_margins(flat[:, truth == label], label), self.bin_width
            )
            for label in np.unique(truth)
        }
        self._sides[str(subject)] = side
        self._add(found)

    def merge(self, other: LogitShift) -> LogitShift:
        """Add all that another one was fed, in another process perhaps, and return this one.

        The order does not matter, but for rounding of the last digits.

        Raises:
            ValueError: if its classes or bins differ, or a subject is on the other side there.
        """
        for name in ("classes", "rare_classes", "bin_width"):
            if getattr(self, name) != getattr(other, name):
                raise ValueError(
                    f"cannot merge: {name} {getattr(other, name)} is not {getattr(self, name)}"
                )
        for subject, side in other._sides.items():
            self._check_side(subject, side)
        self._sides |= other._sides
        self._add(other._counts)
        return self

    def compute(
        self, confidence: float = 0.95, seed: int = 0, replicates: int = 2000
    ) -> list[ClassShift]:
        """The subject-mean shift of each class, in the order of the classes.

        Intervals are percentile intervals of a bootstrap over the subjects of both sides. They
        speak of this one trained network and other subjects, not of another training: for that,
        train several and give their shifts, with resamples of the subjects, to
        `rarelens.statistics.crossed_statistic`. Below about ten subjects a side they are too
        narrow.

        Args:
            confidence: of the intervals, between 0 and 1.
            seed: of the bootstrap.
            replicates: of the bootstrap.

        Returns:
            A row for each class: ``class``, ``rare``; ``train_mean``, ``test_mean``,
            ``difference`` (test − train; below 0: towards the boundary), ``low``, ``high``, in
            logits; ``train_misclassified``, ``test_misclassified``, shares in the mean over
            subjects; ``subjects_train``, ``subjects_test``, that hold the class. NaN where a side
            has no subject; no interval where one has fewer than two.

        Raises:
            ValueError: if ``confidence`` is not between 0 and 1.
        """
        rows: list[Any] = [
            {"class": name, "rare": index in self.rare_classes}
            | subject_mean_shift(*sides, draws, confidence)
            for index, name, sides, draws in self._resampled(confidence, seed, replicates)
        ]
        return rows

    def compute_pooled(
        self, confidence: float = 0.95, seed: int = 0, replicates: int = 2000
    ) -> list[dict[str, Any]]:
        """The voxel-pooled shift, in which each voxel has one vote; arguments as of `compute`.

        Returns:
            A row for each class and statistic (mean, median, negative_fraction,
            standardised_difference, wasserstein, q05 to q95): ``class``, ``statistic``, ``train``,
            ``test``, ``difference``, ``low``, ``high`` (`voxel_pooled_shift`).
        """
        return [
            {"class": name, **row}
            for _, name, sides, draws in self._resampled(confidence, seed, replicates)
            for row in voxel_pooled_shift(*sides, draws, confidence)
        ]

    def plot(self) -> Figure:
        """The margins of the rare classes (of all, if none is marked), train beside test.

        A panel a class: density over margins, in which each subject has one vote; left of the
        line at 0 voxels are misclassified. Needs matplotlib.
        """
        from matplotlib import pyplot

        shown = self.rare_classes or range(len(self.classes))
        figure, axes = pyplot.subplots(
            1, len(shown), figsize=(4.5 * len(shown), 3.2), squeeze=False, layout="constrained"
        )
        rows = self.compute()
        for axis, index in zip(axes[0], shown, strict=True):
            both = self._pair(index)
            for name, side in zip(SIDES, both, strict=True):
                if side.subjects:
                    heights, edges = _density(side)
                    label = f"{name} ({side.subjects} subjects)"
                    axis.stairs(heights, edges, label=label, linewidth=1.2)
            axis.axvline(0, color="black", linewidth=0.8)
            axis.set_title(
                "{class}: shift {difference:.2f} [{low:.2f}, {high:.2f}]".format(**rows[index])
            )
            axis.set_xlabel("margin (logits)")
            if any(side.subjects for side in both):
                axis.legend(frameon=False)
        axes[0, 0].set_ylabel("density")
        return figure

    def _check_side(self, subject: str, side: str) -> None:
        if side not in SIDES:
            raise ValueError(f'side is "train" or "test", not {side!r}')
        if self._sides.get(subject, side) != side:
            raise ValueError(f"subject {subject} is on both sides, train and test")

    def _add(self, found: dict[tuple[str, int], MarginCounts]) -> None:
        for key, counts in found.items():
            known = self._counts.get(key)
            self._counts[key] = counts if known is None else known + counts

    def _pair(self, index: int) -> tuple[Side, Side]:
        """Both sides of a class, subjects in the order of their names."""
        own = sorted(subject for subject, label in self._counts if label == index)
        train, test = (
            [self._counts[subject, index] for subject in own if self._sides[subject] == side]
            for side in SIDES
        )
        return Side.pair(train, test, self.bin_width)

    def _resampled(
        self, confidence: float, seed: int, replicates: int
    ) -> Iterator[tuple[int, Any, tuple[Side, Side], Any]]:
        """Index, name, both sides and draws of subjects of each class."""
        if not 0 < confidence < 1:
            raise ValueError(f"confidence lies between 0 and 1, {confidence} does not")
        for index, name in enumerate(self.classes):
            sides = self._pair(index)
            yield index, name, sides, draw_subjects(sides, replicates, [seed, index])


def _density(side: Side) -> tuple[Floats, Floats]:
    """Density of margins, each subject with one vote, in whole numbers of fine bins; edges."""
    step = max(1, (int(side.bins[-1]) - int(side.bins[0])) // PLOT_BINS)
    place = side.bins // step
    shares = (side.counts / side.counts.sum(axis=1, keepdims=True)).mean(axis=0)
    heights = np.bincount(place - place[0], shares) / (step * side.width)
    return heights, np.arange(place[0], place[-1] + 2) * step * side.width
