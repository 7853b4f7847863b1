"""What all sections share: strictness, and the types of their values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def modules_of(package: str) -> list[str]:
    """The modules of a package of rarelens, by their files: sorted, without private ones."""
    folder = Path(__file__).parents[2].joinpath(*package.split(".")[1:])
    return sorted(file.stem for file in folder.glob("[!_]*.py"))


def module_in(package: str) -> AfterValidator:
    """Refuse what is not the name of a module in ``package``: its files are the list."""

    def check(name: str) -> str:
        known = modules_of(package)
        if name not in known:
            raise ValueError(f"there is no {name!r}; choose {', '.join(map(repr, known))}")
        return name

    return AfterValidator(check)


def _with_bracket(expression: str) -> str:
    try:
        brackets = re.compile(expression).groups
    except re.error as error:
        raise ValueError(
            f"{expression!r} is no regular expression ({error}); correct it"
        ) from error
    if brackets < 1:
        raise ValueError(f"{expression!r} has no bracket to name the patient; add one")
    return expression


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
# Every number has bounds: no machine does what lies beyond them, or NumPy's generators refuse it.
Positive = Annotated[float, Field(gt=0, le=1e9)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
BatchSize = Annotated[int, Field(ge=1, le=2**16)]
Threads = Annotated[int, Field(ge=1, le=1024)]
Replicates = Annotated[int, Field(ge=1, le=10**6)]
Bins = Annotated[int, Field(ge=1, le=10**4)]
Panels = Annotated[int, Field(ge=0, le=1000)]
# A regular expression whose first bracket, searched in an id, names the patient.
GroupExpression = Annotated[str, AfterValidator(_with_bracket)]


class Section(BaseModel):
    """A section of ``params.yaml``: strict types, no unknown keys, finite numbers, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Component(Section):
    """A network or method by the name of its file; its own options beside the shared ones."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    @property
    def options(self) -> dict[str, Any]:
        """The component's own options, checked against its signature by `components`."""
        return dict(self.model_extra or {})
