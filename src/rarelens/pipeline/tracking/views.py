"""Saved views of the runs, in MLflow's menu "Views": a study's cells and the columns that matter.

MLflow keeps a view in a tag of the experiment; one that does not know the format ignores it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.standing import Standing
from rarelens.studies.files import read_json

PREFIX = "mlflow.sharedViewState."
# MLflow shows when a view was made; a constant, so that an equal view is equal text.
_MADE = 1767225600000  # 2026-01-01
_DIMENSIONS = ("method", "seed", "fraction", "dataset", "network")
_COLUMNS = 12
_NAME = "attributes.`Run Name`"


def saved_views(task: str, cells: Sequence[Standing]) -> dict[str, str]:
    """Tags for the experiment: the cells of a task one by one, and their means over seeds."""
    kept = [key for key in _DIMENSIONS if len({getattr(e.cell, key) for e in cells}) > 1]
    measures = [f"metrics.`{name}`" for name in _headline(cells)]
    state = {
        "searchFilter": f"tags.`{names.CELL}` LIKE '{task}/%' AND tags.`{names.STALE}` = 'false'",
        "orderByKey": "tags.`method`",
        "orderByAsc": True,
        "selectedColumns": [*(f"tags.`{key}`" for key in kept), *measures],
        "columnOrder": [_NAME],
        "columnWidths": {_NAME: 330},
        "runsHiddenMode": "SHOW_ALL",
    }
    groups = [key for key in kept if key != "seed"] or ["method"]
    grouped = {
        "groupBy": {
            "aggregateFunction": "average",
            "groupByKeys": [{"mode": "tag", "groupByData": key} for key in groups],
        },
        "groupsExpanded": {
            ",".join(f"tag.{key}.{getattr(each.cell, key)}" for key in groups): False
            for each in cells
        },
        "selectedColumns": measures,
    }
    title = task.capitalize()
    return {
        f"{PREFIX}{task}": _view(f"{title}: each cell", state),
        f"{PREFIX}{task}-means": _view(f"{title}: means over seeds", state | grouped),
    }


def _headline(cells: Iterable[Standing]) -> list[str]:
    """The final measures that matter, of the first analysed cell of each dataset."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    for each in cells:
        if each.analysed and each.cell.dataset not in seen:
            seen.add(each.cell.dataset)
            summary = read_json(each.cell.folder("analyses") / "summary.json")
            of_cell = names.measures(each.cell.task, summary)
            found |= dict.fromkeys(name for name in of_cell if name.startswith("test/"))
    # The shorter first: a mean before its classes.
    return sorted(found, key=lambda name: (name.count("/"), name))[:_COLUMNS]


def _view(name: str, state: dict[str, Any]) -> str:
    return json.dumps(
        {"name": name, "createdAt": _MADE, "updatedAt": _MADE, "state": json.dumps(state)}
    )
