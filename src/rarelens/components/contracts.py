"""What each kind of component must be, to implement one from.

A component is a file of ``objectives``, ``regularisers``, ``sampling``, ``networks``,
``adjustments`` or ``retraining``. It is found by the file's name, and the first name in the file's
``__all__`` is the class (of samplers, the function) that is taken. Nothing is registered. The
arguments of its constructor are its options in ``params.yaml``: each needs an annotation, by which
its value is checked (``Annotated[float, Ge(0)]``), and a default unless the user must give it.
Arguments that rarelens supplies are no options; the classes ``Given…`` name them all, and a
component takes those that it needs by naming them in its constructor.

A combination that makes no sense is refused by a ValueError or a TypeError of one sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypedDict, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]

# Arguments of objectives and regularisers that keep their defaults in a study, and are no options.
KEPT = ("ignore_index", "reduction")


class GivenToNetworks(TypedDict):
    """What rarelens supplies to a network.

    Attributes:
        in_channels: channels of the images.
        out_channels: classes, with the background where there is one.
    """

    in_channels: int
    out_channels: int


class GivenForSegmentation(TypedDict):
    """What rarelens supplies to objectives and regularisers of the segmentation study.

    Attributes:
        class_counts: voxels of each class in the training subset.
        class_priors: their shares; a class without any counts as one voxel.
        classes: how many there are, background included.
        losses: the objectives that a compound adds up, built.
        rare_classes: the dataset's rare classes where the method says ``asymmetric: true``, else
            None. By taking it a component has an asymmetric form.
    """

    class_counts: list[int]
    class_priors: list[float]
    classes: int
    losses: list[nn.Module]
    rare_classes: list[int] | None


class GivenForClassification(TypedDict):
    """What rarelens supplies to objectives of the classification study.

    Attributes:
        classes: how many there are.
        images: of the training subset.
        negatives: negative labels of each class in it.
        positives: positive labels of each class in it.
    """

    classes: int
    images: int
    negatives: list[int]
    positives: list[int]


class GivenToAdjustments(TypedDict):
    """What rarelens supplies to an adjustment.

    Attributes:
        class_priors: shares of the classes among the voxels of the training subset.
        rare_classes: the dataset's rare classes.
    """

    class_priors: list[float]
    rare_classes: list[int]


class Objective(Protocol):
    """A loss of voxels: a `torch.nn.Module`.

    Its parameters, if it has any, are optimised with the network's. Logits of half precision are
    computed in float32. A constructor may take ``ignore_index`` (−100), the value of voxels of an
    index target that do not count, and ``reduction`` ("mean", "sum" or "none").
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, C, *spatial) and a target, to the loss, a scalar unless unreduced.

        Args:
            logits: of the network, background first.
            target: class indices (B, *spatial), or soft one-hot (B, C, *spatial), floating. A
                voxel whose shares are all 0 counts among the voxels of a mean, and nowhere else.
        """


class LabelObjective(Protocol):
    """A loss of the labels of whole images: a `rarelens.components.objectives.LabelLoss`.

    By that base class rarelens tells it from a loss of voxels. The base class leaves out ignored
    labels and reduces; a new loss implements ``losses``. It may have a method
    ``progress(share)``, see `Progressive`.
    """

    def losses(self, logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """The loss of each label, (B, C), from logits and 0/1 masks of the two signs, (B, C)."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Logits (B, C) and targets (B, C) of 1, 0 and NaN (ignored), to the loss."""


@runtime_checkable
class Progressive(Protocol):
    """A label objective that changes as the training goes on."""

    def progress(self, share: float) -> None:
        """Told before each step the share of the steps that are done, 0 to 1.

        What it changes depends on nothing but the share, so that a resumed training ends the same.
        """


class Regulariser(Protocol):
    """What changes a batch (`Preparing`) or adds a pass to a step (`Adding`), or both.

    Attributes:
        gradient_evaluations: forward and backward passes that a step costs beyond the clean one.
    """

    gradient_evaluations: int

    def facts(self, channels: int, patch: Sequence[int]) -> dict[str, float]:
        """What the record of a training should hold beside the options, by name; often nothing.

        Args:
            channels: of the images.
            patch: voxels of a training image along each axis.
        """


@runtime_checkable
class Preparing(Protocol):
    """A regulariser that changes a batch before anything else sees it."""

    def prepare(
        self,
        images: Tensor,
        labels: Tensor,
        centres: NDArray[np.integer],
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Changed copies of images and labels, on the device of the training, where these are.

        All that it draws comes from ``rng``, so that a resumed training ends the same, and each
        process of a training that has several draws the same.

        Args:
            images: (B, channels, *patch), float32.
            labels: (B, *patch), int64, as large as the images for any network.
            centres: (B,), the class that a patch is centred on; −1 for one placed anywhere.
            rng: seeded anew at each step.
        """


@runtime_checkable
class Adding(Protocol):
    """A regulariser that adds the loss of one more pass to the clean one."""

    def extra(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        base_loss: Loss,
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        """The images of the further pass, and their target.

        Args:
            model: the network as it is trained.
            images: (B, channels, *patch).
            labels: (B, *patch), smaller than the images for a network that loses their border.
            base_loss: the method's ``base``, of logits and target.
            rng: seeded anew at each step.

        Returns:
            Images like ``images``, and class indices in which −100 marks voxels that do not count,
            or soft one-hot, 0 for every class where they do not.
        """


class Sampler(Protocol):
    """How likely each image is to be drawn into a batch: a function named ``weights``."""

    def __call__(self, labels: NDArray[np.floating]) -> NDArray[np.float64]:
        """Non-negative weights (N,) that sum to 1.

        Args:
            labels: of the training subset, (N, C), 1, 0 or NaN (ignored).
        """


class SegmentationNetwork(Protocol):
    """A `torch.nn.Module` of images of any size that its docstring allows.

    It has no linear layer named ``head``, by which rarelens knows a classification network.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, in_channels, X, Y, Z) to logits (B, out_channels, X, Y, Z).

        Of an `UnpaddedNetwork` the images are larger than the logits.
        """


@runtime_checkable
class UnpaddedNetwork(Protocol):
    """A segmentation network without padding, whose logits are of the middle of an image.

    It brings the sizes of its own segments, so that a dataset's ``patch_size`` plays no part. It
    is laid out over a volume in tiles that do not overlap, and its units are not dissected.

    Attributes:
        context: voxels by which an image exceeds its logits on each side of each axis.
        training_patch: voxels of the logits along each axis, in training.
        inference_patch: the same for a tile in inference.
    """

    context: int
    training_patch: tuple[int, int, int]
    inference_patch: tuple[int, int, int]


class ClassificationNetwork(Protocol):
    """A `torch.nn.Module` of features and a linear head (`networks._classifier.Classifier`).

    Attributes:
        head: from features (B, D) to logits (B, out_channels); retraining replaces it.
    """

    head: nn.Linear

    def features(self, images: Tensor) -> Tensor:
        """What the head is given of images (B, in_channels, H, W): (B, D)."""

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, in_channels, H, W) to logits (B, out_channels)."""


class Adjustment(Protocol):
    """A post-hoc control: it retrains nothing and moves the decision boundary."""

    def __call__(self, cases: Iterable[tuple[NDArray[np.float32], NDArray[Any]]]) -> NDArray[Any]:
        """What to add to every logit vector, (C,) float32.

        Args:
            cases: logits (C, *spatial) and labels (*spatial) of the validation cases, read once.

        Raises:
            ValueError: if it is fitted on the cases, and there are none.
        """


class Retraining(Protocol):
    """A way to train the head of a classification network anew, on frozen features.

    Attributes:
        batch_size: images a step.
        threads: of a CPU.
    """

    batch_size: int
    threads: int

    def __call__(
        self, features: Tensor, labels: Tensor, seed: int
    ) -> tuple[nn.Linear, list[dict[str, float]]]:
        """A new head, and rows of step, loss and learning_rate.

        Args:
            features: of the training images, (N, D).
            labels: theirs, (N, C), 1, 0 or NaN (ignored).
            seed: of all that is drawn at random.
        """


def is_classifier(network: nn.Module) -> bool:
    """Whether a network gives logits of whole images, by a linear ``head``, and not of voxels."""
    return isinstance(getattr(network, "head", None), nn.Linear)
