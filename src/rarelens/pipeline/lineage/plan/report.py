"""A plan for people, and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from rarelens.pipeline.lineage.plan import Plan, Step
from rarelens.pipeline.lineage.plan.naming import cell_of, kind_of, label_of
from rarelens.pipeline.parameters.reading import read_yaml

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
    kinds = _grouped(plan.stages, map(kind_of, plan.stages))
    lines = []
    for kind, steps in _grouped(plan.steps, [kind_of(step.stage) for step in plan.steps]).items():
        stages = kinds[kind]
        name = typer.style(label_of(stages[0]), bold=True)
        number = f": {len(steps)} of {len(stages)} cells" if cell_of(stages[0]) else ""
        lines.append(f"{name}{number}, {_time(steps)}")
        lines += [f"  {reason}" for reason in _reasons(steps, stages)]
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


def _reasons(steps: Sequence[Step], stages: Sequence[PipelineStage]) -> list[str]:
    """Each reason, with the cells that it holds for if that is not all of them."""
    found: dict[str, list[str]] = {}
    for step in steps:
        for reason in step.reasons:
            found.setdefault(reason, []).append(cell_of(step.stage))
    among = [cell_of(stage) for stage in stages]
    dimensions = _dimensions(stages[0])
    return _shortened(
        [
            reason if len(cells) == len(among) else f"{reason} [{_cells(cells, among, dimensions)}]"
            for reason, cells in found.items()
        ]
    )


def _cells(names: Sequence[str], all_names: Sequence[str], dimensions: Sequence[str]) -> str:
    """Some of a kind's cells: by the values of dimensions if that says it, or else one by one."""
    cells = [tuple(name.split("-")) for name in names]
    among = [tuple(name.split("-")) for name in all_names]
    if all(len(cell) == len(dimensions) for cell in among):
        chosen = [_values(cells, index) for index in range(len(dimensions))]
        covered = [c for c in among if all(v in own for v, own in zip(c, chosen, strict=True))]
        if len(covered) == len(cells):
            parts = [
                f"{name} {', '.join(values)}"
                for index, (name, values) in enumerate(zip(dimensions, chosen, strict=True))
                if len(values) < len(_values(among, index))
            ]
            return "; ".join(parts)
    return ", ".join(_shortened(names))


def _shortened(items: Sequence[str]) -> list[str]:
    further = len(items) - _MOST
    return list(items) if further <= 1 else [*items[:_MOST], f"and {further} more"]


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
