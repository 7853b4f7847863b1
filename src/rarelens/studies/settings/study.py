"""The studies: which cells there are."""

from __future__ import annotations

from pydantic import Field, model_validator

from rarelens.studies.settings.base import Name, Section, Seed

_LISTS = ("datasets", "networks", "methods", "adjusted", "adjustments", "fractions", "seeds")


class Study(Section):
    """All cells of one task: the product of its lists; without ``datasets`` it is switched off.

    Beside them stand the ``adjusted`` methods × ``adjustments``: post-hoc cells, which share the
    weights of the method that they adjust. Both lists are empty in a study without any.
    """

    datasets: tuple[Name, ...]
    networks: tuple[Name, ...] = Field(min_length=1)
    methods: tuple[Name, ...] = Field(min_length=1)
    baseline: Name
    adjusted: tuple[Name, ...]
    adjustments: tuple[Name, ...]
    fractions: tuple[int | float, ...] = Field(min_length=1)
    seeds: tuple[Seed, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Study:
        for key in _LISTS:
            values = getattr(self, key)
            if len(set(values)) < len(values):
                raise ValueError(f"{key} names a value twice: {list(values)}")
        for fraction in self.fractions:
            if not 0 < fraction <= 1:
                raise ValueError(f"fractions: {fraction} is not in (0, 1]")
            if isinstance(fraction, float) and fraction.is_integer():
                raise ValueError(f"fractions: write {fraction:g} for {fraction} (one spelling)")
        for name in (self.baseline, *self.adjusted):
            if name not in self.methods:
                raise ValueError(f"{name!r} (baseline or adjusted) is not among methods")
        if bool(self.adjusted) != bool(self.adjustments):
            raise ValueError(
                f"adjusted {list(self.adjusted)} and adjustments {list(self.adjustments)}: fill "
                "both lists, or neither"
            )
        return self


class Studies(Section):
    """The studies, by task. ``simulated``: the datasets that stage ``simulate`` writes."""

    simulated: tuple[Name, ...]
    segmentation: Study
    classification: Study

    @model_validator(mode="after")
    def _check(self) -> Studies:
        if not (self.segmentation.datasets or self.classification.datasets):
            raise ValueError("both studies are switched off; name a dataset in one of them")
        return self
