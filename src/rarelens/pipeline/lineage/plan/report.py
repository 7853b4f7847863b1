"""A plan for people, and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rarelens.pipeline.lineage.plan import Plan
from rarelens.pipeline.lineage.plan.evaluation import Fate, Verdict
from rarelens.pipeline.lineage.plan.stages import cell_of, kind_of, label_of
from rarelens.pipeline.parameters.reading import read_yaml

if TYPE_CHECKING:
    from dvc.stage import PipelineStage

_MOST = 8  # reasons, or cells, that are listed one by one


def as_json(plan: Plan) -> str:
    """The plan as JSON: ``stages`` that may run, the number ``unchanged``, those ``restored``."""
    stages = []
    for verdict in plan.having(Fate.RUNS):
        seconds = plan.durations.of(verdict.stage)
        stages.append(
            {
                "name": verdict.stage.addressing,
                "reasons": list(verdict.reasons),
                "seconds": None if seconds is None else round(seconds, 2),
            }
        )
    value = {
        "stages": stages,
        "unchanged": len(plan.verdicts) - len(stages),
        "restored": [verdict.stage.addressing for verdict in plan.having(Fate.RESTORED)],
    }
    return json.dumps(value, indent=2, ensure_ascii=False)


def as_text(plan: Plan) -> str:
    """The plan for people, grouped by the stages' kinds."""
    kinds = _by_kind(plan.verdicts)
    runs = plan.having(Fate.RUNS)
    lines = []
    for kind, verdicts in _by_kind(runs).items():
        stages = [each.stage for each in kinds[kind]]
        name = typer.style(label_of(stages[0]), bold=True)
        number = f": {len(verdicts)} of {len(stages)} cells" if cell_of(stages[0]) else ""
        lines.append(f"{name}{number}, {_time(plan, verdicts)}")
        lines += [f"  {reason}" for reason in _reasons(verdicts, stages)]
    restored = Counter(label_of(each.stage) for each in plan.having(Fate.RESTORED))
    if restored:
        listed = ", ".join(f"{number} × {label}" for label, number in restored.items())
        lines.append(f"restored from the cache, without running: {listed}")
    unchanged = len(plan.verdicts) - len(runs)
    if runs:
        total = f"{len(runs)} of {len(plan.verdicts)} stages may run, {_time(plan, runs)}"
        lines.append(f"{typer.style(total, bold=True)}; {unchanged} will not")
    else:
        lines.append(f"nothing to run: {unchanged} stages are up to date")
    return "\n".join(lines)


def _reasons(verdicts: Sequence[Verdict], stages: Sequence[PipelineStage]) -> list[str]:
    """Each reason, with the cells that it holds for if that is not all of them."""
    found: dict[str, list[str]] = {}
    for verdict in verdicts:
        for reason in verdict.reasons:
            found.setdefault(reason, []).append(cell_of(verdict.stage))
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


def _time(plan: Plan, verdicts: Sequence[Verdict]) -> str:
    seconds = [plan.durations.of(each.stage) for each in verdicts]
    known = [each for each in seconds if each is not None]
    if not known:
        return "duration unknown"
    ran = all(each.stage.addressing in plan.durations.last for each in verdicts)
    about = "" if ran else "about "
    unknown = len(verdicts) - len(known)
    more = f" and {unknown} of unknown duration" if unknown else ""
    return f"{about}{_duration(sum(known))}{more}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 1 else "less than 1 s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


def _by_kind(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    kinds: dict[str, list[Verdict]] = {}
    for each in verdicts:
        kinds.setdefault(kind_of(each.stage), []).append(each)
    return kinds
