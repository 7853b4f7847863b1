"""Networks, methods and post-hoc controls, by the names of their files."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rarelens.studies.settings.base import Component, Name, Section, Share


class Network(Component):
    """``network``: a file of `rarelens.components.networks`; further keys are its arguments."""

    network: Name


class Term(Component):
    """One loss of a compound objective: a file of `components.objectives` and its arguments."""

    objective: Name


class Regulariser(Component):
    """Options of a file of `rarelens.components.regularisers`; ``asymmetric`` as in `Method`."""

    asymmetric: bool = False


class Method(Component):
    """``objective``: a file of `rarelens.components.objectives`; further keys are its arguments.

    ``losses``: the terms of a compound objective. ``asymmetric`` hands the dataset's rare classes
    to the objective (else its symmetric form). ``regularisers``, by the names of their files;
    ``base``: the loss whose gradient adversarial training follows, by default cross-entropy, or
    cross-entropy plus Dice if the objective is that or a compound; ``separate_steps``: an
    optimiser step for each term instead of one for their sum; ``running_statistics``: which passes
    move those of batch normalisation. ``foreground_share`` and ``foreground_jitter`` override the
    training's share of patches placed by a foreground voxel, and how far that lies off the middle.
    """

    objective: Name
    losses: tuple[Term, ...] = ()
    asymmetric: bool = False
    regularisers: dict[Name, Regulariser] = Field(default={})
    base: Name | None = None
    separate_steps: bool = False
    running_statistics: Literal["all_passes", "clean_pass"] = "all_passes"
    foreground_share: Share | None = None
    foreground_jitter: Share | None = None

    @property
    def base_objective(self) -> str | None:
        """The file of ``base``, named or by default; None where no regulariser may follow it."""
        if self.base is not None or not self.regularisers:
            return self.base
        both = "dice_cross_entropy"
        return both if self.losses or self.objective == both else "cross_entropy"

    @property
    def objectives(self) -> dict[str, str]:
        """The files of `components.objectives` that it is made of, by where they are named."""
        named = {"objective": self.objective}
        named |= {f"losses.{n}.objective": loss.objective for n, loss in enumerate(self.losses)}
        return named | ({"base": self.base_objective} if self.base_objective else {})


class Adjustment(Component):
    """A post-hoc control: a file of `components.adjustments`; further keys are its arguments."""

    adjustment: Name


class ClassificationMethod(Component):
    """``objective``: a file of `rarelens.components.objectives`; further keys are its arguments.

    ``sampling``: a file of `components.sampling`, which weighs the images of a batch's draw.
    """

    objective: Name
    sampling: Name = "uniform"


class Layers(Section):
    """Modules of a network, by their dotted names, that are looked into.

    ``units``: whose channels are units; may be empty where a network segments. ``saliency``:
    where Grad-CAM is taken; null where a network segments.
    """

    units: tuple[str, ...]
    saliency: str | None
