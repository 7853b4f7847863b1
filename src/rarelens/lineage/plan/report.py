"""A plan for people, and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from rarelens.lineage.plan import Plan, Step
from rarelens.lineage.plan.naming import cell_of, kind_of, label_of
from rarelens.parameters import read_yaml

if TYPE_CHECKING:
    from dvc.stage import PipelineStage

T = TypeVar("T")
_MOST = 8  # reasons, or cells, that are listed one by one


def as_json(plan: Plan) -> str:
    """The plan as JSON: ``stages`` that may run, the number ``unchanged``, those ``restored``."""
    stages = [
        {
            "name": step.stage.addressing,
            "reasons": list(step.reasons),
            "seconds": None if step.seconds is None else round(step.seconds, 2),
        }
        for step in plan.steps
    ]
    value = {
        "stages": stages,
        "unchanged": len(plan.stages) - len(plan.steps),
        "restored": [stage.addressing for stage in plan.restored],
    }
    return json.dumps(value, indent=2, ensure_ascii=False)


def as_text(plan: Plan) -> str:
    """The plan for people, grouped by the stages' kinds."""
    lines = []
    sizes = Counter(map(kind_of, plan.stages))
    for kind, steps in _grouped(plan.steps, [kind_of(step.stage) for step in plan.steps]).items():
        cells = _cells(steps, [stage for stage in plan.stages if kind_of(stage) == kind])
        number = f": {len(steps)} of {sizes[kind]} cells{cells}" if cell_of(steps[0].stage) else ""
        lines.append(f"{typer.style(label_of(steps[0].stage), bold=True)}{number}, {_time(steps)}")
        lines += [f"  {reason}" for reason in _reasons(steps)]
    return "\n".join([*lines, *_summary(plan)])


def _summary(plan: Plan) -> list[str]:
    unchanged = len(plan.stages) - len(plan.steps)
    lines = []
    if plan.restored:
        kinds = Counter(map(label_of, plan.restored))
        listed = ", ".join(f"{number} × {label}" for label, number in kinds.items())
        lines.append(f"restored from the cache, without running: {listed}")
    if plan.steps:
        total = f"{len(plan.steps)} of {len(plan.stages)} stages may run, {_time(plan.steps)}"
        lines.append(f"{typer.style(total, bold=True)}; {unchanged} will not")
    else:
        lines.append(f"nothing to run: {unchanged} stages are up to date")
    return lines


def _reasons(steps: Sequence[Step]) -> list[str]:
    found = Counter(reason for step in steps for reason in step.reasons)
    lines = [
        reason if number == len(steps) else f"{reason} ({number} of them)"
        for reason, number in found.items()
    ]
    further = len(lines) - _MOST
    return lines if further <= 1 else [*lines[:_MOST], f"and {further} further reasons"]


def _cells(steps: Sequence[Step], stages: Sequence[PipelineStage]) -> str:
    """Which cells of a kind of stage run, by the dimensions in which not all of them do."""
    if len(steps) == len(stages):
        return ""
    dimensions = _dimensions(stages[0])
    running = [tuple(cell_of(step.stage).split("-")) for step in steps]
    among = [tuple(cell_of(stage).split("-")) for stage in stages]
    if all(len(cell) == len(dimensions) for cell in among):
        chosen = [_values(running, index) for index in range(len(dimensions))]
        covered = [c for c in among if all(v in own for v, own in zip(c, chosen, strict=True))]
        if len(covered) == len(running):
            parts = [
                f"{name} {', '.join(values)}"
                for index, (name, values) in enumerate(zip(dimensions, chosen, strict=True))
                if len(values) < len(_values(among, index))
            ]
            return f" ({'; '.join(parts)})"
    names = ["-".join(cell) for cell in running]
    further = len(names) - _MOST
    shown = names if further <= 1 else [*names[:_MOST], f"and {further} further"]
    return f" ({', '.join(shown)})"


def _values(cells: Iterable[tuple[str, ...]], index: int) -> list[str]:
    return list(dict.fromkeys(cell[index] for cell in cells))


def _dimensions(stage: PipelineStage) -> list[str]:
    """The names of a kind's dimensions, as its dvc.yaml has them."""
    name = str(stage.name).partition("@")[0]
    return list(read_yaml(Path(stage.path))["stages"][name].get("matrix", {}))


def _time(steps: Sequence[Step]) -> str:
    known = [step.seconds for step in steps if step.seconds is not None]
    if not known:
        return "duration unknown"
    about = "about " if any(step.estimated for step in steps) else ""
    unknown = len(steps) - len(known)
    more = f" and {unknown} of unknown duration" if unknown else ""
    return f"{about}{_duration(sum(known))}{more}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 1 else "less than 1 s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


def _grouped(items: Sequence[T], keys: Iterable[str]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = {}
    for item, key in zip(items, keys, strict=True):
        groups.setdefault(key, []).append(item)
    return groups
