"""What the experiment's page says, and its saved views: a study's cells, the columns that matter.

MLflow keeps both in tags of the experiment; one that does not know a view's format ignores it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from mlflow import MlflowClient

from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.recorded import RecordedCell

NOTE = """\
**rarelens: what class imbalance does to a network.** One run per trained model ("cell"), below \
one run per study, which holds the report and the tables of the comparison.

- Filter out what is no longer in the study: ``tags.`rarelens.stale` = 'false'``; one dimension: \
`tags.method = 'focal'`, also `dataset`, `network`, `fraction`, `seed`, `task`.
- `test/…` are the final measures that matter, `test_details/…` the others, `usage/…` what the \
training took. The names are equal for all cells of a task.
- `rarelens.origin` says whether a training was `executed` here or its result `restored`.
- Runs mirror DVC's lock files: `rarelens sync` brings them up to date, or back.
"""
# Without the kind, the page guesses it, and asks.
TAGS = {"mlflow.note.content": NOTE, "mlflow.experimentKind": "custom_model_development"}
_VIEW = "mlflow.sharedViewState."
# MLflow shows when a view was made; a constant, so that an equal view is equal text.
_MADE = 1767225600000  # 2026-01-01
_DIMENSIONS = ("method", "seed", "fraction", "dataset", "network")
_COLUMNS = 12
_NAME = "attributes.`Run Name`"


def describe_experiment(
    client: MlflowClient, experiment: str, cells: Sequence[RecordedCell]
) -> None:
    """Set the page's text and the views of each study, where they are others."""
    wanted = dict(TAGS)
    for task in dict.fromkeys(each.cell.task for each in cells):
        wanted |= _saved_views(task, [each for each in cells if each.cell.task == task])
    known = client.get_experiment(experiment).tags
    for key, value in wanted.items():
        if known.get(key) != value:
            client.set_experiment_tag(experiment, key, value)


def _saved_views(task: str, cells: Sequence[RecordedCell]) -> dict[str, str]:
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
        f"{_VIEW}{task}": _view(f"{title}: each cell", state),
        f"{_VIEW}{task}-means": _view(f"{title}: means over seeds", state | grouped),
    }


def _headline(cells: Iterable[RecordedCell]) -> list[str]:
    """The final measures that matter, of the first analysed cell of each dataset."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    for each in cells:
        if each.analysed and each.cell.dataset not in seen:
            seen.add(each.cell.dataset)
            found |= dict.fromkeys(name for name in each.measures() if name.startswith("test/"))
    # The shorter first: a mean before its classes.
    return sorted(found, key=lambda name: (name.count("/"), name))[:_COLUMNS]


def _view(name: str, state: dict[str, Any]) -> str:
    return json.dumps(
        {"name": name, "createdAt": _MADE, "updatedAt": _MADE, "state": json.dumps(state)}
    )
